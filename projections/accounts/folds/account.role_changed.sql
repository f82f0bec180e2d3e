INSERT INTO accounts AS t (account_id, role, _role)
SELECT DISTINCT ON (account_id) account_id, role, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, account_id uuid, role text)
ORDER BY account_id, _offset DESC
ON CONFLICT (account_id) DO UPDATE SET
    role = excluded.role,
    _role = excluded._role
WHERE excluded._role > t._role;
