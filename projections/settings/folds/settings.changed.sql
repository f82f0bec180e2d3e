INSERT INTO _settings AS t (scope, subject, name, value, owner, _changed)
SELECT DISTINCT ON (scope, subject, name) scope, subject, name, value, _owner, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _owner text, scope text, subject text, changes jsonb
), jsonb_each(CASE jsonb_typeof(changes) WHEN 'object' THEN changes ELSE '{}' END) AS c (name, value)
ORDER BY scope, subject, name, _offset DESC
ON CONFLICT (scope, subject, name) DO UPDATE SET
    value = excluded.value,
    owner = excluded.owner,
    _changed = excluded._changed
WHERE excluded._changed > t._changed;
