INSERT INTO adapters AS t (
    adapter_id, owner_id, tenant_id, name, kind, scope, subject, skill_id, base_model, created_at, _created
)
SELECT DISTINCT ON (adapter_id)
    adapter_id, _owner, _tenant, name, kind, scope, subject, skill_id, base_model, _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, _owner text, _tenant text, adapter_id uuid, name text, kind text,
    scope text, subject text, skill_id uuid, base_model text
)
ORDER BY adapter_id, _offset
ON CONFLICT (adapter_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    tenant_id = excluded.tenant_id,
    name = excluded.name,
    kind = excluded.kind,
    scope = excluded.scope,
    subject = excluded.subject,
    skill_id = excluded.skill_id,
    base_model = excluded.base_model,
    created_at = excluded.created_at,
    _created = excluded._created
WHERE t._created IS NULL;
