INSERT INTO _preferences AS t (preference_id, owner_id, own_statement, own_value, answer, _own, _answer)
SELECT DISTINCT ON (preference_id) preference_id, _owner, statement, value, 'corrected', _offset, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _owner uuid, preference_id uuid, statement text, value text
)
ORDER BY preference_id, _offset DESC
ON CONFLICT (preference_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    own_statement = CASE WHEN excluded._own > t._own THEN excluded.own_statement ELSE t.own_statement END,
    own_value = CASE WHEN excluded._own > t._own THEN excluded.own_value ELSE t.own_value END,
    answer = CASE WHEN excluded._answer > t._answer THEN excluded.answer ELSE t.answer END,
    _own = greatest(t._own, excluded._own),
    _answer = greatest(t._answer, excluded._answer);
