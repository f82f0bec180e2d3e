INSERT INTO skills AS t (skill_id, prune_turns, prune_days, _prune)
SELECT DISTINCT ON (skill_id) skill_id, turns, days, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, skill_id uuid, turns int, days int)
ORDER BY skill_id, _offset DESC
ON CONFLICT (skill_id) DO UPDATE SET
    prune_turns = excluded.prune_turns,
    prune_days = excluded.prune_days,
    _prune = excluded._prune
WHERE excluded._prune > t._prune;
