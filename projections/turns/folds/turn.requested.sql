INSERT INTO _requests AS t (
    turn_id, conversation_id, owner_id, tenant_id, kind, user_message_id, assistant_message_id,
    regenerated_from, requested_at, _requested
)
SELECT DISTINCT ON (turn_id)
    turn_id, conversation_id, _owner, _tenant, kind, user_message_id, assistant_message_id, regenerated_from,
    _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, _owner uuid, _tenant text, turn_id uuid, conversation_id uuid, kind text,
    user_message_id uuid, assistant_message_id uuid, regenerated_from uuid
)
ORDER BY turn_id, _offset DESC
ON CONFLICT (turn_id) DO UPDATE SET
    conversation_id = excluded.conversation_id,
    owner_id = excluded.owner_id,
    tenant_id = excluded.tenant_id,
    kind = excluded.kind,
    user_message_id = excluded.user_message_id,
    assistant_message_id = excluded.assistant_message_id,
    regenerated_from = excluded.regenerated_from,
    requested_at = excluded.requested_at,
    _requested = excluded._requested
WHERE excluded._requested > t._requested;
