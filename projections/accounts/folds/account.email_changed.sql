INSERT INTO accounts AS t (account_id, email, email_claim, _email)
SELECT DISTINCT ON (account_id) account_id, email, email_claim, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, account_id uuid, email text, email_claim text)
ORDER BY account_id, _offset DESC
ON CONFLICT (account_id) DO UPDATE SET
    email = excluded.email,
    email_claim = excluded.email_claim,
    _email = excluded._email
WHERE excluded._email > t._email;
