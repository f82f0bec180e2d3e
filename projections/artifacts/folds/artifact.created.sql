WITH made AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS e (
        _offset bigint, _time timestamptz, _id uuid, _owner text, _tenant text, _actor text, artifact_id text,
        artifact_version int, body jsonb, kind text, name text, description text
    )
), version AS (
    INSERT INTO artifact_versions AS t (
        owner_id, artifact_id, version, origin, body, operations, actor, event_id, created_at, _created
    )
    SELECT DISTINCT ON (_owner, artifact_id, artifact_version)
        _owner, artifact_id, artifact_version, 'created', body, NULL, _actor, _id, _time, _offset
    FROM made ORDER BY _owner, artifact_id, artifact_version, _offset
    ON CONFLICT (owner_id, artifact_id, version) DO UPDATE SET
        origin = excluded.origin,
        body = excluded.body,
        operations = excluded.operations,
        patch_id = excluded.patch_id,
        to_version = excluded.to_version,
        "by" = excluded."by",
        actor = excluded.actor,
        reason = excluded.reason,
        event_id = excluded.event_id,
        created_at = excluded.created_at,
        _created = excluded._created
    WHERE excluded._created < t._created
)
INSERT INTO artifacts AS t (
    owner_id, artifact_id, tenant_id, kind, name, description, version, body, created_at, updated_at, _name,
    _body, _created
)
SELECT DISTINCT ON (_owner, artifact_id)
    _owner, artifact_id, _tenant, kind, name, description, artifact_version, body, _time, _time, _offset,
    _offset, _offset
FROM made ORDER BY _owner, artifact_id, _offset
ON CONFLICT (owner_id, artifact_id) DO UPDATE SET
    tenant_id = excluded.tenant_id,
    kind = excluded.kind,
    name = CASE WHEN excluded._name > t._name THEN excluded.name ELSE t.name END,
    description = CASE WHEN excluded._name > t._name THEN excluded.description ELSE t.description END,
    version = CASE WHEN excluded._body > t._body THEN excluded.version ELSE t.version END,
    body = CASE WHEN excluded._body > t._body THEN excluded.body ELSE t.body END,
    created_at = excluded.created_at,
    updated_at = CASE WHEN excluded._body > t._body THEN excluded.updated_at ELSE t.updated_at END,
    _name = greatest(t._name, excluded._name),
    _body = greatest(t._body, excluded._body),
    _created = excluded._created
WHERE t._created IS NULL;
