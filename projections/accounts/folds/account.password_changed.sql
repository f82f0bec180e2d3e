INSERT INTO accounts AS t (account_id, password_changed_at, _password)
SELECT DISTINCT ON (account_id) account_id, _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, _time timestamptz, account_id uuid)
ORDER BY account_id, _offset DESC
ON CONFLICT (account_id) DO UPDATE SET
    password_changed_at = excluded.password_changed_at,
    _password = excluded._password
WHERE excluded._password > t._password;
