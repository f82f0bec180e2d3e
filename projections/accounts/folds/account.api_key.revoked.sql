INSERT INTO api_keys AS t (key_id, account_id, revoked_at, _revoked)
SELECT DISTINCT ON (key_id) key_id, account_id, _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, _time timestamptz, account_id uuid, key_id uuid)
ORDER BY key_id, _offset
ON CONFLICT (key_id) DO UPDATE SET revoked_at = excluded.revoked_at, _revoked = excluded._revoked
WHERE t._revoked IS NULL;
