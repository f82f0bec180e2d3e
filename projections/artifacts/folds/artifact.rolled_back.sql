WITH made AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS e (
        _offset bigint, _time timestamptz, _id uuid, _owner text, _tenant text, _actor text, artifact_id text,
        artifact_version int, body jsonb, to_version int, "by" text, reason text
    )
), version AS (
    INSERT INTO artifact_versions AS t (
        owner_id, artifact_id, version, origin, body, to_version, "by", reason, actor, event_id, created_at,
        _created
    )
    SELECT DISTINCT ON (_owner, artifact_id, artifact_version)
        _owner, artifact_id, artifact_version, 'rolled_back', body, to_version, "by", reason, _actor, _id,
        _time, _offset
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
INSERT INTO artifacts AS t (owner_id, artifact_id, version, body, updated_at, _body)
SELECT DISTINCT ON (_owner, artifact_id) _owner, artifact_id, artifact_version, body, _time, _offset
FROM made ORDER BY _owner, artifact_id, _offset DESC
ON CONFLICT (owner_id, artifact_id) DO UPDATE SET
    version = excluded.version,
    body = excluded.body,
    updated_at = excluded.updated_at,
    _body = excluded._body
WHERE excluded._body > t._body;
