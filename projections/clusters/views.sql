-- sign: 1 for a like, a correction or a wish, -1 for a dislike, 0 for a note
CREATE VIEW read.evidence AS
SELECT
    evidence_id, owner_id, tenant_id, kind, conversation_id, message_id, value,
    CASE kind WHEN 'thumb' THEN value WHEN 'note' THEN 0 ELSE 1 END AS sign,
    NOT withdrawn AND active AND _gone < greatest(_seen, 0) AS counts,
    created_at, partition, greatest(_created, _judged, _seen, _gone, _active) AS "offset"
FROM _evidence WHERE _created IS NOT NULL;

CREATE VIEW read.cluster_members AS
SELECT
    m.cluster_id, m.evidence_id AS feedback_id, e.owner_id, e.tenant_id, e.kind, e.conversation_id,
    e.message_id, e.value, e.sign, m.since
FROM _members m
JOIN _clusters c ON c.cluster_id = m.cluster_id AND c._created IS NOT NULL AND c.ended IS NULL
JOIN read.evidence e ON e.evidence_id = m.evidence_id AND e.counts
WHERE m.present;

CREATE VIEW read.clusters AS
SELECT
    c.cluster_id, c.owner_id, c.tenant_id, c.scope, c.subject, coalesce(c.named, c.label) AS label,
    CASE WHEN c.named IS NULL THEN c.source ELSE 'person' END AS label_source, c.words, c.centroid,
    n.size, n.positive, n.negative, n.preferences, n.people, c.ended, c.ended_into, c.ended_at, c.formed_at,
    c.changed_at, c.labelled_at
FROM _clusters c CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE kind <> 'preference')::int AS size,
        count(*) FILTER (WHERE kind <> 'preference' AND sign = 1)::int AS positive,
        count(*) FILTER (WHERE kind <> 'preference' AND sign = -1)::int AS negative,
        count(*) FILTER (WHERE kind = 'preference')::int AS preferences,
        count(DISTINCT owner_id)::int AS people
    FROM read.cluster_members m WHERE m.cluster_id = c.cluster_id
) n
WHERE c._created IS NOT NULL;

-- what a router compares a question with; read.clusters counts members, which is too much for every turn
CREATE VIEW read.centroids AS
SELECT cluster_id, owner_id, scope, subject, coalesce(named, label) AS label, centroid
FROM _clusters WHERE _created IS NOT NULL AND ended IS NULL AND centroid IS NOT NULL;

-- scope and subject of the map are its owner's: an account's, or a tenant's
CREATE VIEW read.cluster_points AS
SELECT
    p.owner_id AS subject, p.evidence_id AS feedback_id, p.x, p.y, p.run_id, e.owner_id, e.kind, e.sign,
    (
        SELECT m.cluster_id FROM read.cluster_members m JOIN _clusters c USING (cluster_id)
        WHERE m.feedback_id = p.evidence_id AND c.owner_id = p.owner_id LIMIT 1
    ) AS cluster_id
FROM _points p JOIN read.evidence e ON e.evidence_id = p.evidence_id AND e.counts;

CREATE VIEW read.clustering_runs AS
SELECT
    run_id, owner_id, tenant_id, scope, subject, positions, algorithm, parameters, seed, points, clusters,
    changes, decided_at, completed_at
FROM _runs WHERE _decided IS NOT NULL;
