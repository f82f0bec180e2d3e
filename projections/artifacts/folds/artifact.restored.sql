INSERT INTO artifacts AS t (owner_id, artifact_id, archived, _archived)
SELECT DISTINCT ON (_owner, artifact_id) _owner, artifact_id, false, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, _owner text, artifact_id text)
ORDER BY _owner, artifact_id, _offset DESC
ON CONFLICT (owner_id, artifact_id) DO UPDATE SET
    archived = excluded.archived,
    _archived = excluded._archived
WHERE excluded._archived > t._archived;
