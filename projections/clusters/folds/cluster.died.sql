INSERT INTO _clusters AS t (cluster_id, owner_id, ended, ended_at, _ended)
SELECT DISTINCT ON (cluster_id) cluster_id, _owner, 'died', _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, _time timestamptz, _owner text, cluster_id uuid)
ORDER BY cluster_id, _offset DESC
ON CONFLICT (cluster_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    ended = excluded.ended,
    ended_into = NULL,
    ended_at = excluded.ended_at,
    _ended = excluded._ended
WHERE excluded._ended > t._ended;
