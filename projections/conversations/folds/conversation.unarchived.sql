INSERT INTO conversations AS t (conversation_id, archived, _archived)
SELECT DISTINCT ON (conversation_id) conversation_id, false, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, conversation_id uuid)
ORDER BY conversation_id, _offset DESC
ON CONFLICT (conversation_id) DO UPDATE SET
    archived = excluded.archived,
    _archived = excluded._archived
WHERE excluded._archived > t._archived;
