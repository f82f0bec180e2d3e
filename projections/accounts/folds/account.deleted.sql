INSERT INTO accounts (account_id, deleted)
SELECT DISTINCT account_id, true FROM json_to_recordset($1::json) AS e (account_id uuid)
ON CONFLICT (account_id) DO UPDATE SET deleted = true;
