INSERT INTO conversations AS t
    (conversation_id, owner_id, tenant_id, title, origin, created_at, _title, _created)
SELECT DISTINCT ON (conversation_id)
    conversation_id, _owner, _tenant, title, coalesce(origin, 'web'), _time, _offset, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, _owner uuid, _tenant text, conversation_id uuid, title text, origin text
)
ORDER BY conversation_id, _offset
ON CONFLICT (conversation_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    tenant_id = excluded.tenant_id,
    title = CASE WHEN excluded._title > t._title THEN excluded.title ELSE t.title END,
    _title = greatest(t._title, excluded._title),
    origin = excluded.origin,
    created_at = excluded.created_at,
    _created = excluded._created
WHERE t._created IS NULL;
