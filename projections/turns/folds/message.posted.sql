-- a person's message asks for a turn, an answer ends one
WITH posted AS (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS e (
        _offset bigint, _time timestamptz, _owner uuid, _tenant text, turn_id uuid, conversation_id uuid,
        message_id uuid, role text, assistant_message_id uuid, status text, trace jsonb
    )
), asked AS (
    INSERT INTO _requests AS t (
        turn_id, conversation_id, owner_id, tenant_id, kind, user_message_id, assistant_message_id,
        requested_at, _requested
    )
    SELECT DISTINCT ON (turn_id)
        turn_id, conversation_id, _owner, _tenant, 'message', message_id, assistant_message_id, _time, _offset
    FROM posted WHERE role = 'user' ORDER BY turn_id, _offset DESC
    ON CONFLICT (turn_id) DO UPDATE SET
        conversation_id = excluded.conversation_id,
        owner_id = excluded.owner_id,
        tenant_id = excluded.tenant_id,
        kind = excluded.kind,
        user_message_id = excluded.user_message_id,
        assistant_message_id = excluded.assistant_message_id,
        regenerated_from = NULL,
        requested_at = excluded.requested_at,
        _requested = excluded._requested
    WHERE excluded._requested > t._requested
)
INSERT INTO _outcomes AS t (turn_id, state, message_id, timings, ended_at, _ended)
SELECT DISTINCT ON (turn_id)
    turn_id, CASE status WHEN 'cancelled' THEN 'cancelled' ELSE 'answered' END, message_id,
    trace -> 'timings', _time, _offset
FROM posted WHERE role = 'assistant' ORDER BY turn_id, _offset DESC
ON CONFLICT (turn_id) DO UPDATE SET
    state = excluded.state,
    message_id = excluded.message_id,
    ended_by = NULL,
    error_code = NULL,
    error_message = NULL,
    retryable = NULL,
    timings = excluded.timings,
    ended_at = excluded.ended_at,
    _ended = excluded._ended
WHERE excluded._ended > t._ended;
