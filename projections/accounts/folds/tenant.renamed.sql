INSERT INTO tenants AS t (tenant_id, name, owner_id, _name)
SELECT DISTINCT ON (tenant_id) tenant_id, name, _owner, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, tenant_id text, name text, _owner text)
ORDER BY tenant_id, _offset DESC
ON CONFLICT (tenant_id) DO UPDATE SET
    name = excluded.name,
    owner_id = excluded.owner_id,
    _name = excluded._name
WHERE excluded._name > t._name;
