INSERT INTO training_runs AS t (
    run_id, outcome, weights, content_hash, seconds, outcome_code, outcome_message, ended_by, ended_at, _ended
)
SELECT DISTINCT ON (run_id)
    run_id, 'done', weights, content_hash, seconds, NULL, NULL, NULL, _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, run_id uuid, weights jsonb, content_hash text, seconds double precision
)
ORDER BY run_id, _offset DESC
ON CONFLICT (run_id) DO UPDATE SET
    outcome = excluded.outcome,
    weights = excluded.weights,
    content_hash = excluded.content_hash,
    seconds = excluded.seconds,
    outcome_code = excluded.outcome_code,
    outcome_message = excluded.outcome_message,
    ended_by = excluded.ended_by,
    ended_at = excluded.ended_at,
    _ended = excluded._ended
WHERE excluded._ended > t._ended;
