INSERT INTO skills AS t (
    skill_id, owner_id, decision, decided_by, rule, reason, merged_into, decided_at, _decided
)
SELECT DISTINCT ON (skill_id) skill_id, _owner, 'rejected', "by", NULL::text, reason, NULL::uuid, _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, _owner text, skill_id uuid, "by" text, reason text
)
ORDER BY skill_id, _offset DESC
ON CONFLICT (skill_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    decision = excluded.decision,
    decided_by = excluded.decided_by,
    rule = excluded.rule,
    reason = excluded.reason,
    merged_into = excluded.merged_into,
    decided_at = excluded.decided_at,
    _decided = excluded._decided
WHERE excluded._decided > t._decided;
