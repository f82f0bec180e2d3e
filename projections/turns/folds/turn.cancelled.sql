INSERT INTO _outcomes AS t (turn_id, state, ended_by, error_code, error_message, retryable, ended_at, _ended)
SELECT DISTINCT ON (turn_id) turn_id, 'cancelled', coalesce("by", 'user'), reason, NULL, NULL, _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, _time timestamptz, turn_id uuid, "by" text, reason text)
ORDER BY turn_id, _offset DESC
ON CONFLICT (turn_id) DO UPDATE SET
    state = excluded.state,
    message_id = NULL,
    ended_by = excluded.ended_by,
    error_code = excluded.error_code,
    error_message = excluded.error_message,
    retryable = excluded.retryable,
    timings = NULL,
    ended_at = excluded.ended_at,
    _ended = excluded._ended
WHERE excluded._ended > t._ended;
