INSERT INTO skills AS t (skill_id, active, _active)
SELECT DISTINCT ON (skill_id) skill_id, active, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, skill_id uuid, active boolean)
ORDER BY skill_id, _offset DESC
ON CONFLICT (skill_id) DO UPDATE SET
    active = excluded.active,
    _active = excluded._active
WHERE excluded._active > t._active;
