INSERT INTO patches AS t (patch_id, owner_id, decision, decided_by, decided_at, _decided)
SELECT DISTINCT ON (patch_id) patch_id, _owner, 'approved', "by", _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, _owner text, patch_id uuid, "by" text
)
ORDER BY patch_id, _offset DESC
ON CONFLICT (patch_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    decision = excluded.decision,
    decided_by = excluded.decided_by,
    reason = NULL,
    decided_at = excluded.decided_at,
    _decided = excluded._decided
WHERE excluded._decided > t._decided;
