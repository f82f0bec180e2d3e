WITH assigned AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS e (
        _offset bigint, _time timestamptz, _owner text, cluster_id uuid, added uuid[], removed uuid[],
        centroid real[]
    )
), changed AS (
    SELECT _offset, _time, cluster_id, evidence_id, true AS present
    FROM assigned, unnest(added) AS evidence_id
    UNION ALL
    SELECT _offset, _time, cluster_id, evidence_id, false FROM assigned, unnest(removed) AS evidence_id
), moved AS (
    INSERT INTO _members AS t (cluster_id, evidence_id, present, since, _changed)
    SELECT DISTINCT ON (cluster_id, evidence_id) cluster_id, evidence_id, present, _time, _offset
    FROM changed ORDER BY cluster_id, evidence_id, _offset DESC, present
    ON CONFLICT (cluster_id, evidence_id) DO UPDATE SET
        present = excluded.present,
        since = excluded.since,
        _changed = excluded._changed
    WHERE excluded._changed > t._changed
)
INSERT INTO _clusters AS t (cluster_id, owner_id, centroid, changed_at, _centroid)
SELECT DISTINCT ON (cluster_id) cluster_id, _owner, centroid, _time, _offset
FROM assigned ORDER BY cluster_id, _offset DESC
ON CONFLICT (cluster_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    centroid = excluded.centroid,
    changed_at = excluded.changed_at,
    _centroid = excluded._centroid
WHERE excluded._centroid > t._centroid;
