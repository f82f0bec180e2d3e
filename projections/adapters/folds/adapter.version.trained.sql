WITH trained AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS e (
        _offset bigint, _time timestamptz, _owner text, adapter_id uuid, adapter_version int, run_id uuid,
        weights jsonb, content_hash text, base_model text, base_hash text, rank int, alpha double precision,
        targets text[], parent_version int, dataset_hash text, feedback_ids uuid[]
    )
), shaped AS (
    INSERT INTO adapter_feedback (adapter_id, version, feedback_id)
    SELECT DISTINCT adapter_id, adapter_version, feedback_id
    FROM trained, unnest(feedback_ids) AS feedback_id
    ON CONFLICT DO NOTHING
)
INSERT INTO adapter_versions AS t (
    adapter_id, version, owner_id, run_id, weights_hash, weights_size, content_hash, base_model, base_hash,
    rank, alpha, targets, parent_version, dataset_hash, feedback_ids, trained_at, _created
)
SELECT DISTINCT ON (adapter_id, adapter_version)
    adapter_id, adapter_version, _owner, run_id, weights ->> 'hash', (weights ->> 'size')::bigint, content_hash,
    base_model, base_hash, rank, alpha, targets, parent_version, dataset_hash, coalesce(feedback_ids, '{}'),
    _time,
    _offset
FROM trained ORDER BY adapter_id, adapter_version, _offset
ON CONFLICT (adapter_id, version) DO UPDATE SET
    owner_id = excluded.owner_id,
    run_id = excluded.run_id,
    weights_hash = excluded.weights_hash,
    weights_size = excluded.weights_size,
    content_hash = excluded.content_hash,
    base_model = excluded.base_model,
    base_hash = excluded.base_hash,
    rank = excluded.rank,
    alpha = excluded.alpha,
    targets = excluded.targets,
    parent_version = excluded.parent_version,
    dataset_hash = excluded.dataset_hash,
    feedback_ids = excluded.feedback_ids,
    trained_at = excluded.trained_at,
    _created = excluded._created
WHERE t._created IS NULL;
