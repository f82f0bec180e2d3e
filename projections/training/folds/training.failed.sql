WITH failed AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS e (
        _offset bigint, _time timestamptz, run_id uuid, error_code text, message text, retryable boolean
    )
), last AS (
    SELECT DISTINCT ON (run_id) * FROM failed ORDER BY run_id, _offset DESC
), final AS (
    SELECT DISTINCT ON (run_id) * FROM failed WHERE NOT coalesce(retryable, false) ORDER BY run_id, _offset DESC
)
INSERT INTO training_runs AS t (
    run_id, state, error_code, error_message, changed_at, _state,
    outcome, outcome_code, outcome_message, ended_at, _ended
)
SELECT
    last.run_id, 'retrying', last.error_code, last.message, last._time, last._offset,
    CASE WHEN final.run_id IS NOT NULL THEN 'failed' END, final.error_code, final.message, final._time,
    coalesce(final._offset, -1)
FROM last LEFT JOIN final USING (run_id)
ON CONFLICT (run_id) DO UPDATE SET
    state = CASE WHEN excluded._state > t._state THEN excluded.state ELSE t.state END,
    error_code = CASE WHEN excluded._state > t._state THEN excluded.error_code ELSE t.error_code END,
    error_message = CASE WHEN excluded._state > t._state THEN excluded.error_message ELSE t.error_message END,
    changed_at = CASE WHEN excluded._state > t._state THEN excluded.changed_at ELSE t.changed_at END,
    outcome = CASE WHEN excluded._ended > t._ended THEN excluded.outcome ELSE t.outcome END,
    outcome_code = CASE WHEN excluded._ended > t._ended THEN excluded.outcome_code ELSE t.outcome_code END,
    outcome_message = CASE WHEN excluded._ended > t._ended THEN excluded.outcome_message ELSE t.outcome_message END,
    weights = CASE WHEN excluded._ended > t._ended THEN NULL ELSE t.weights END,
    content_hash = CASE WHEN excluded._ended > t._ended THEN NULL ELSE t.content_hash END,
    seconds = CASE WHEN excluded._ended > t._ended THEN NULL ELSE t.seconds END,
    ended_by = CASE WHEN excluded._ended > t._ended THEN NULL ELSE t.ended_by END,
    ended_at = CASE WHEN excluded._ended > t._ended THEN excluded.ended_at ELSE t.ended_at END,
    _state = greatest(t._state, excluded._state),
    _ended = greatest(t._ended, excluded._ended);
