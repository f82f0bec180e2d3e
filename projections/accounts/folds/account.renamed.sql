INSERT INTO accounts AS t (account_id, display_name, _display_name)
SELECT DISTINCT ON (account_id) account_id, display_name, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, account_id uuid, display_name text)
ORDER BY account_id, _offset DESC
ON CONFLICT (account_id) DO UPDATE SET
    display_name = excluded.display_name,
    _display_name = excluded._display_name
WHERE excluded._display_name > t._display_name;
