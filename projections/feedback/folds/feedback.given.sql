INSERT INTO feedback AS t (
    feedback_id, owner_id, tenant_id, conversation_id, message_id, turn_id, kind, value, text, created_at,
    updated_at, _judged, _created
)
SELECT DISTINCT ON (feedback_id)
    feedback_id, _owner, _tenant, conversation_id, message_id, turn_id, kind, value, text, _time, _time,
    _offset, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, _owner uuid, _tenant text, feedback_id uuid, conversation_id uuid,
    message_id uuid, turn_id uuid, kind text, value int, text text
)
ORDER BY feedback_id, _offset
ON CONFLICT (feedback_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    tenant_id = excluded.tenant_id,
    conversation_id = excluded.conversation_id,
    message_id = excluded.message_id,
    turn_id = excluded.turn_id,
    kind = excluded.kind,
    value = CASE WHEN excluded._judged > t._judged THEN excluded.value ELSE t.value END,
    text = CASE WHEN excluded._judged > t._judged THEN excluded.text ELSE t.text END,
    created_at = excluded.created_at,
    updated_at = CASE WHEN excluded._judged > t._judged THEN excluded.updated_at ELSE t.updated_at END,
    _judged = greatest(t._judged, excluded._judged),
    _created = excluded._created
WHERE t._created IS NULL;
