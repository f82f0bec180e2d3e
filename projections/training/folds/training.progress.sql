WITH told AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS e (
        _offset bigint, _time timestamptz, run_id uuid, step int, steps int, metrics jsonb, checkpoint jsonb
    )
), kept AS (
    SELECT DISTINCT ON (run_id) run_id, checkpoint, _offset FROM told
    WHERE jsonb_typeof(checkpoint) = 'object' ORDER BY run_id, _offset DESC
)
INSERT INTO training_runs AS t (
    run_id, state, changed_at, _state, step, steps, metrics, _step, checkpoint, _checkpoint
)
SELECT DISTINCT ON (run_id)
    run_id, 'running', _time, told._offset, step, steps, metrics, told._offset, kept.checkpoint,
    coalesce(kept._offset, -1)
FROM told LEFT JOIN kept USING (run_id) ORDER BY run_id, told._offset DESC
ON CONFLICT (run_id) DO UPDATE SET
    state = CASE WHEN excluded._state > t._state THEN excluded.state ELSE t.state END,
    error_code = CASE WHEN excluded._state > t._state THEN NULL ELSE t.error_code END,
    error_message = CASE WHEN excluded._state > t._state THEN NULL ELSE t.error_message END,
    changed_at = CASE WHEN excluded._state > t._state THEN excluded.changed_at ELSE t.changed_at END,
    step = CASE WHEN excluded._step > t._step THEN excluded.step ELSE t.step END,
    steps = CASE WHEN excluded._step > t._step THEN excluded.steps ELSE t.steps END,
    metrics = CASE WHEN excluded._step > t._step THEN excluded.metrics ELSE t.metrics END,
    checkpoint = CASE WHEN excluded._checkpoint > t._checkpoint THEN excluded.checkpoint ELSE t.checkpoint END,
    _state = greatest(t._state, excluded._state),
    _step = greatest(t._step, excluded._step),
    _checkpoint = greatest(t._checkpoint, excluded._checkpoint);
