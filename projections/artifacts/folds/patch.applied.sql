INSERT INTO patches AS t (patch_id, applied_version, applied_at, owner_id, _applied)
SELECT DISTINCT ON (patch_id) patch_id, artifact_version, _time, _owner, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, patch_id uuid, artifact_version int, _owner text
)
ORDER BY patch_id, _offset DESC
ON CONFLICT (patch_id) DO UPDATE SET
    applied_version = excluded.applied_version,
    applied_at = excluded.applied_at,
    owner_id = excluded.owner_id,
    _applied = excluded._applied
WHERE excluded._applied > t._applied;
