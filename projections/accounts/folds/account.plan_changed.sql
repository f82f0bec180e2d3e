INSERT INTO accounts AS t (account_id, plan, _plan)
SELECT DISTINCT ON (account_id) account_id, plan, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, account_id uuid, plan text)
ORDER BY account_id, _offset DESC
ON CONFLICT (account_id) DO UPDATE SET
    plan = excluded.plan,
    _plan = excluded._plan
WHERE excluded._plan > t._plan;
