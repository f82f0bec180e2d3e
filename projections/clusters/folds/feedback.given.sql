INSERT INTO _evidence AS t (
    evidence_id, owner_id, tenant_id, kind, conversation_id, message_id, value, partition, created_at,
    _created, _judged
)
SELECT DISTINCT ON (feedback_id)
    feedback_id, _owner, _tenant, kind, conversation_id, message_id, value, _partition, _time, _offset, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _partition int, _offset bigint, _time timestamptz, _owner uuid, _tenant text, feedback_id uuid, kind text,
    conversation_id uuid, message_id uuid, value int
)
ORDER BY feedback_id, _offset
ON CONFLICT (evidence_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    tenant_id = excluded.tenant_id,
    kind = excluded.kind,
    conversation_id = excluded.conversation_id,
    message_id = excluded.message_id,
    value = CASE WHEN excluded._judged > t._judged THEN excluded.value ELSE t.value END,
    partition = excluded.partition,
    created_at = excluded.created_at,
    _judged = greatest(t._judged, excluded._judged),
    _created = excluded._created
WHERE t._created IS NULL;
