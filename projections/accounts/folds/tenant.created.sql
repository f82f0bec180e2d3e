INSERT INTO tenants AS t (tenant_id, owner_id, name, plan, created_at, _name, _created)
SELECT DISTINCT ON (tenant_id) tenant_id, _owner, name, coalesce(plan, 'free'), _time, _offset, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, _owner text, tenant_id text, name text, plan text
)
ORDER BY tenant_id, _offset
ON CONFLICT (tenant_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    name = CASE WHEN excluded._name > t._name THEN excluded.name ELSE t.name END,
    plan = excluded.plan,
    created_at = excluded.created_at,
    _name = greatest(t._name, excluded._name),
    _created = excluded._created
WHERE t._created IS NULL;
