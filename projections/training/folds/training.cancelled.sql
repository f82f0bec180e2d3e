INSERT INTO training_runs AS t (
    run_id, state, step, steps, metrics, weights, content_hash, seconds, error_code, error_message, retryable, attempt,
    changed_at, _state
)
SELECT DISTINCT ON (run_id)
    run_id, 'cancelled', NULL::int, NULL::int, NULL::jsonb, NULL::jsonb, NULL::text, NULL::double precision, NULL::text, NULL::text, NULL::boolean, NULL::int,
    _time, _offset
FROM json_to_recordset($1::json) AS e (
    _offset bigint, _time timestamptz, run_id uuid
)
ORDER BY run_id, _offset DESC
ON CONFLICT (run_id) DO UPDATE SET
    state = excluded.state,
    step = excluded.step,
    steps = excluded.steps,
    metrics = excluded.metrics,
    weights = excluded.weights,
    content_hash = excluded.content_hash,
    seconds = excluded.seconds,
    error_code = excluded.error_code,
    error_message = excluded.error_message,
    retryable = excluded.retryable,
    attempt = excluded.attempt,
    changed_at = excluded.changed_at,
    _state = excluded._state
WHERE excluded._state > t._state;
