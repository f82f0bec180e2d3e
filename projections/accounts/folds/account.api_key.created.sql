INSERT INTO api_keys AS t (key_id, account_id, name, scopes, expires_at, created_at, _created)
SELECT DISTINCT ON (key_id) key_id, account_id, name, scopes, expires_at, _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, account_id uuid, key_id uuid, name text, scopes text[],
    expires_at timestamptz
)
ORDER BY key_id, _offset
ON CONFLICT (key_id) DO UPDATE SET
    account_id = excluded.account_id,
    name = excluded.name,
    scopes = excluded.scopes,
    expires_at = excluded.expires_at,
    created_at = excluded.created_at,
    _created = excluded._created
WHERE t._created IS NULL;
