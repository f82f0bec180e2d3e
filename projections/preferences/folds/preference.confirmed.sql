INSERT INTO _preferences AS t (preference_id, answer, _answer)
SELECT DISTINCT ON (preference_id) preference_id, 'confirmed', _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, preference_id uuid)
ORDER BY preference_id, _offset DESC
ON CONFLICT (preference_id) DO UPDATE SET
    answer = excluded.answer,
    _answer = excluded._answer
WHERE excluded._answer > t._answer;
