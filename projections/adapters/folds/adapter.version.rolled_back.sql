WITH decided AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS e (
        _offset bigint, _time timestamptz, _owner text, adapter_id uuid, adapter_version int, "by" text,
    reason text, to_version int
)
), version AS (
    INSERT INTO adapter_versions AS t (
        adapter_id, version, owner_id, decision, decided_by, reasons, reason, decided_at, _decided
    )
    SELECT DISTINCT ON (adapter_id, adapter_version)
        adapter_id, adapter_version, _owner, 'rolled_back', "by", NULL::text[], reason, _time, _offset
    FROM decided ORDER BY adapter_id, adapter_version, _offset DESC
    ON CONFLICT (adapter_id, version) DO UPDATE SET
        owner_id = excluded.owner_id,
        decision = excluded.decision,
        decided_by = excluded.decided_by,
        reasons = excluded.reasons,
        reason = excluded.reason,
        decided_at = excluded.decided_at,
        _decided = excluded._decided
    WHERE excluded._decided > t._decided
)
INSERT INTO adapters AS t (adapter_id, serving_version, serving_since, _serving)
SELECT DISTINCT ON (adapter_id) adapter_id, to_version, _time, _offset
FROM decided ORDER BY adapter_id, _offset DESC
ON CONFLICT (adapter_id) DO UPDATE SET
    serving_version = excluded.serving_version,
    serving_since = excluded.serving_since,
    _serving = excluded._serving
WHERE excluded._serving > t._serving;
