INSERT INTO patches AS t (
    patch_id, owner_id, artifact_id, base_version, operations, rationale, source, actor, proposed_at, _created
)
SELECT DISTINCT ON (patch_id)
    patch_id, _owner, artifact_id, base_version, operations, rationale, source, _actor, _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, _owner text, _actor text, artifact_id text, patch_id uuid,
    base_version int, operations jsonb, rationale text, source text
)
ORDER BY patch_id, _offset
ON CONFLICT (patch_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    artifact_id = excluded.artifact_id,
    base_version = excluded.base_version,
    operations = excluded.operations,
    rationale = excluded.rationale,
    source = excluded.source,
    actor = excluded.actor,
    proposed_at = excluded.proposed_at,
    _created = excluded._created
WHERE t._created IS NULL;
