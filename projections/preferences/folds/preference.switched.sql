INSERT INTO _preferences AS t (preference_id, active, _active)
SELECT DISTINCT ON (preference_id) preference_id, active, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, preference_id uuid, active boolean)
ORDER BY preference_id, _offset DESC
ON CONFLICT (preference_id) DO UPDATE SET
    active = excluded.active,
    _active = excluded._active
WHERE excluded._active > t._active;
