INSERT INTO accounts AS t (account_id, verified, _verified)
SELECT DISTINCT ON (account_id) account_id, true, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, account_id uuid)
ORDER BY account_id, _offset DESC
ON CONFLICT (account_id) DO UPDATE SET
    verified = excluded.verified,
    _verified = excluded._verified
WHERE excluded._verified > t._verified;
