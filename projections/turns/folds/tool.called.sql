INSERT INTO tool_calls AS t
    (call_id, turn_id, conversation_id, owner_id, tool, tool_version, arguments, called_at, _created)
SELECT DISTINCT ON (call_id)
    call_id, turn_id, conversation_id, _owner, tool, tool_version, arguments, _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, _owner uuid, call_id uuid, turn_id uuid, conversation_id uuid, tool text,
    tool_version int, arguments jsonb
)
ORDER BY call_id, _offset
ON CONFLICT (call_id) DO UPDATE SET
    turn_id = excluded.turn_id,
    conversation_id = excluded.conversation_id,
    owner_id = excluded.owner_id,
    tool = excluded.tool,
    tool_version = excluded.tool_version,
    arguments = excluded.arguments,
    called_at = excluded.called_at,
    _created = excluded._created
WHERE t._created IS NULL;
