INSERT INTO preferences AS t (preference_id, owner_id, statement, value, answer, _statement, _answer)
SELECT DISTINCT ON (preference_id) preference_id, _owner, statement, value, 'corrected', _offset, _offset
FROM json_to_recordset($1::json) AS e (
    _offset bigint, _owner uuid, preference_id uuid, statement text, value text
)
ORDER BY preference_id, _offset DESC
ON CONFLICT (preference_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    statement = CASE WHEN excluded._statement > t._statement THEN excluded.statement ELSE t.statement END,
    value = CASE WHEN excluded._statement > t._statement THEN excluded.value ELSE t.value END,
    answer = CASE WHEN excluded._answer > t._answer THEN excluded.answer ELSE t.answer END,
    _statement = greatest(t._statement, excluded._statement),
    _answer = greatest(t._answer, excluded._answer);
