-- a wish that is read again counts once; its words are a function of what it is about
WITH detected AS (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS e (
        _partition int, _offset bigint, _time timestamptz, _owner uuid, _tenant text, preference_id uuid,
        conversation_id uuid, message_id uuid
    )
), latest AS (
    SELECT preference_id, max(_offset) AS seen FROM detected GROUP BY preference_id
)
INSERT INTO _evidence AS t (
    evidence_id, owner_id, tenant_id, kind, conversation_id, message_id, value, partition, created_at,
    _created, _seen
)
SELECT DISTINCT ON (preference_id)
    preference_id, _owner, _tenant, 'preference', conversation_id, message_id, 1, _partition, _time, _offset,
    seen
FROM detected JOIN latest USING (preference_id)
ORDER BY preference_id, _offset
ON CONFLICT (evidence_id) DO UPDATE SET
    owner_id = coalesce(t.owner_id, excluded.owner_id),
    tenant_id = coalesce(t.tenant_id, excluded.tenant_id),
    kind = coalesce(t.kind, excluded.kind),
    conversation_id = CASE WHEN t._created IS NULL THEN excluded.conversation_id ELSE t.conversation_id END,
    message_id = CASE WHEN t._created IS NULL THEN excluded.message_id ELSE t.message_id END,
    value = CASE WHEN t._created IS NULL THEN excluded.value ELSE t.value END,
    partition = coalesce(t.partition, excluded.partition),
    created_at = coalesce(t.created_at, excluded.created_at),
    _created = coalesce(t._created, excluded._created),
    _seen = greatest(t._seen, excluded._seen);
