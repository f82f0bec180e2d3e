WITH labelled AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS e (
        _offset bigint, _time timestamptz, _owner text, cluster_id uuid, label text, source text, words text[]
    )
), every AS (
    SELECT cluster_id FROM labelled GROUP BY cluster_id
), found AS (
    SELECT DISTINCT ON (cluster_id) cluster_id, _owner, _time, label, source, words, _offset
    FROM labelled WHERE source <> 'person' ORDER BY cluster_id, _offset DESC
), named AS (
    SELECT DISTINCT ON (cluster_id) cluster_id, _owner, label, _offset
    FROM labelled WHERE source = 'person' ORDER BY cluster_id, _offset DESC
)
INSERT INTO _clusters AS t (
    cluster_id, owner_id, label, source, words, labelled_at, _label, named, _named
)
SELECT
    every.cluster_id, coalesce(f._owner, n._owner), f.label, f.source, coalesce(f.words, '{}'), f._time,
    coalesce(f._offset, -1), n.label, coalesce(n._offset, -1)
FROM every LEFT JOIN found f USING (cluster_id) LEFT JOIN named n USING (cluster_id)
ON CONFLICT (cluster_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    label = CASE WHEN excluded._label > t._label THEN excluded.label ELSE t.label END,
    source = CASE WHEN excluded._label > t._label THEN excluded.source ELSE t.source END,
    words = CASE WHEN excluded._label > t._label THEN excluded.words ELSE t.words END,
    labelled_at = CASE WHEN excluded._label > t._label THEN excluded.labelled_at ELSE t.labelled_at END,
    named = CASE WHEN excluded._named > t._named THEN excluded.named ELSE t.named END,
    _label = greatest(t._label, excluded._label),
    _named = greatest(t._named, excluded._named);
