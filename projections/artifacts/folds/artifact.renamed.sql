INSERT INTO artifacts AS t (owner_id, artifact_id, name, description, _name)
SELECT DISTINCT ON (_owner, artifact_id) _owner, artifact_id, name, description, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _owner text, artifact_id text, name text, description text
)
ORDER BY _owner, artifact_id, _offset DESC
ON CONFLICT (owner_id, artifact_id) DO UPDATE SET
    name = excluded.name,
    description = excluded.description,
    _name = excluded._name
WHERE excluded._name > t._name;
