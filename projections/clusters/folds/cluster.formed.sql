WITH formed AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS e (
        _offset bigint, _time timestamptz, _owner text, _tenant text, cluster_id uuid, scope text,
        subject text, members uuid[], centroid real[]
    )
), joined AS (
    INSERT INTO _members AS t (cluster_id, evidence_id, present, since, _changed)
    SELECT DISTINCT ON (cluster_id, evidence_id) cluster_id, evidence_id, true, _time, _offset
    FROM formed, unnest(members) AS evidence_id
    ORDER BY cluster_id, evidence_id, _offset DESC
    ON CONFLICT (cluster_id, evidence_id) DO UPDATE SET
        present = excluded.present,
        since = excluded.since,
        _changed = excluded._changed
    WHERE excluded._changed > t._changed
)
INSERT INTO _clusters AS t (
    cluster_id, owner_id, tenant_id, scope, subject, centroid, formed_at, changed_at, _created, _centroid
)
SELECT DISTINCT ON (cluster_id)
    cluster_id, _owner, _tenant, scope, subject, centroid, _time, _time, _offset, _offset
FROM formed ORDER BY cluster_id, _offset
ON CONFLICT (cluster_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    tenant_id = excluded.tenant_id,
    scope = excluded.scope,
    subject = excluded.subject,
    centroid = CASE WHEN excluded._centroid > t._centroid THEN excluded.centroid ELSE t.centroid END,
    formed_at = excluded.formed_at,
    changed_at = CASE WHEN excluded._centroid > t._centroid THEN excluded.changed_at ELSE t.changed_at END,
    _centroid = greatest(t._centroid, excluded._centroid),
    _created = excluded._created
WHERE t._created IS NULL;
