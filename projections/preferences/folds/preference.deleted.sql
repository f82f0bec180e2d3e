INSERT INTO _preferences AS t (preference_id, _deleted)
SELECT preference_id, max(_offset)
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, preference_id uuid)
GROUP BY preference_id
ON CONFLICT (preference_id) DO UPDATE SET _deleted = greatest(t._deleted, excluded._deleted);
