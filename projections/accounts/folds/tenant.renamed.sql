INSERT INTO tenants AS t (tenant_id, name, _name)
SELECT DISTINCT ON (tenant_id) tenant_id, name, _offset
FROM json_to_recordset($1::json) AS e (_offset bigint, tenant_id text, name text)
ORDER BY tenant_id, _offset DESC
ON CONFLICT (tenant_id) DO UPDATE SET
    name = excluded.name,
    _name = excluded._name
WHERE excluded._name > t._name;
