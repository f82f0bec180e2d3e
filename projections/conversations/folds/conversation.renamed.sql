INSERT INTO conversations AS t (conversation_id, title, owner_id, _title)
SELECT DISTINCT ON (conversation_id) conversation_id, title, _owner, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, conversation_id uuid, title text, _owner uuid)
ORDER BY conversation_id, _offset DESC
ON CONFLICT (conversation_id) DO UPDATE SET
    title = excluded.title,
    owner_id = excluded.owner_id,
    _title = excluded._title
WHERE excluded._title > t._title;
