INSERT INTO accounts AS t (account_id, second_factor, _second_factor)
SELECT DISTINCT ON (account_id) account_id, true, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, account_id uuid)
ORDER BY account_id, _offset DESC
ON CONFLICT (account_id) DO UPDATE SET
    second_factor = excluded.second_factor,
    _second_factor = excluded._second_factor
WHERE excluded._second_factor > t._second_factor;
