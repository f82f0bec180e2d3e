INSERT INTO accounts (account_id, deleted)
SELECT DISTINCT account_id, true FROM jsonb_to_recordset($1::jsonb) AS e (account_id uuid)
ON CONFLICT (account_id) DO UPDATE SET deleted = true;
