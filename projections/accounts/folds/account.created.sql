INSERT INTO accounts AS t (
    account_id, tenant_id, email, email_claim, display_name, role, plan, origin, created_at, _email,
    _display_name, _role, _plan, _created
)
SELECT DISTINCT ON (account_id)
    account_id, tenant_id, email, email_claim, display_name, coalesce(role, 'user'), coalesce(plan, 'free'),
    coalesce(origin, 'signup'), _time, _offset, _offset, _offset, _offset, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, account_id uuid, tenant_id text, email text, email_claim text,
    display_name text, role text, plan text, origin text
)
ORDER BY account_id, _offset
ON CONFLICT (account_id) DO UPDATE SET
    tenant_id = excluded.tenant_id,
    email = CASE WHEN excluded._email > t._email THEN excluded.email ELSE t.email END,
    email_claim = CASE WHEN excluded._email > t._email THEN excluded.email_claim ELSE t.email_claim END,
    display_name =
        CASE WHEN excluded._display_name > t._display_name THEN excluded.display_name ELSE t.display_name END,
    role = CASE WHEN excluded._role > t._role THEN excluded.role ELSE t.role END,
    plan = CASE WHEN excluded._plan > t._plan THEN excluded.plan ELSE t.plan END,
    origin = excluded.origin,
    created_at = excluded.created_at,
    _email = greatest(t._email, excluded._email),
    _display_name = greatest(t._display_name, excluded._display_name),
    _role = greatest(t._role, excluded._role),
    _plan = greatest(t._plan, excluded._plan),
    _created = excluded._created
WHERE t._created IS NULL;
