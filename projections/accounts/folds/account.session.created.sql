INSERT INTO _sessions AS t (session_id, account_id, kind, user_agent, address, created_at, _created)
SELECT DISTINCT ON (session_id) session_id, account_id, kind, user_agent, address, _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, account_id uuid, session_id uuid, kind text, user_agent text,
    address text
)
ORDER BY session_id, _offset
ON CONFLICT (session_id) DO UPDATE SET
    account_id = excluded.account_id,
    kind = excluded.kind,
    user_agent = excluded.user_agent,
    address = excluded.address,
    created_at = excluded.created_at,
    _created = excluded._created
WHERE t._created IS NULL;
