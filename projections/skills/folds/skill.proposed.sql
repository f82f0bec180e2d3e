INSERT INTO skills AS t (
    skill_id, cluster_id, owner_id, tenant_id, kind, scope, subject, label, size, positive, negative,
    thresholds_id, thresholds_version, proposed_at, _created
)
SELECT DISTINCT ON (skill_id)
    skill_id, cluster_id, _owner, _tenant, kind, scope, subject, label, size, coalesce(positive, 0),
    coalesce(negative, 0), thresholds_id, thresholds_version, _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, _owner text, _tenant text, skill_id uuid, cluster_id uuid, kind text,
    scope text, subject text, label text, size int, positive int, negative int, thresholds_id text,
    thresholds_version int
)
ORDER BY skill_id, _offset
ON CONFLICT (skill_id) DO UPDATE SET
    cluster_id = excluded.cluster_id,
    owner_id = excluded.owner_id,
    tenant_id = excluded.tenant_id,
    kind = excluded.kind,
    scope = excluded.scope,
    subject = excluded.subject,
    label = excluded.label,
    size = excluded.size,
    positive = excluded.positive,
    negative = excluded.negative,
    thresholds_id = excluded.thresholds_id,
    thresholds_version = excluded.thresholds_version,
    proposed_at = excluded.proposed_at,
    _created = excluded._created
WHERE t._created IS NULL;
