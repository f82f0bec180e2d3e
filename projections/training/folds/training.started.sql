INSERT INTO training_runs AS t (
    run_id, state, worker, attempt, error_code, error_message, changed_at, started_at, _state, _started
)
SELECT DISTINCT ON (run_id) run_id, 'running', worker, attempt, NULL, NULL, _time, _time, _offset, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, run_id uuid, worker text, attempt int
)
ORDER BY run_id, _offset DESC
ON CONFLICT (run_id) DO UPDATE SET
    state = CASE WHEN excluded._state > t._state THEN excluded.state ELSE t.state END,
    error_code = CASE WHEN excluded._state > t._state THEN NULL ELSE t.error_code END,
    error_message = CASE WHEN excluded._state > t._state THEN NULL ELSE t.error_message END,
    changed_at = CASE WHEN excluded._state > t._state THEN excluded.changed_at ELSE t.changed_at END,
    worker = CASE WHEN excluded._started > t._started THEN excluded.worker ELSE t.worker END,
    attempt = CASE WHEN excluded._started > t._started THEN excluded.attempt ELSE t.attempt END,
    started_at = CASE WHEN excluded._started > t._started THEN excluded.started_at ELSE t.started_at END,
    _state = greatest(t._state, excluded._state),
    _started = greatest(t._started, excluded._started);
