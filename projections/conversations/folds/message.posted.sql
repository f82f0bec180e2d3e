-- an id that was posted already changes nothing, so it does not count either
WITH posted AS (
    INSERT INTO messages (
        message_id, conversation_id, owner_id, tenant_id, parent_id, role, content, turn_id, client_id,
        edited_from, regenerated_from, assistant_message_id, status, options, attachments, trace, citations,
        usage, created_at, partition, "offset"
    )
    SELECT
        message_id, conversation_id, _owner, _tenant, parent_id, role, content, turn_id, client_id,
        edited_from, regenerated_from, assistant_message_id, coalesce(status, 'complete'), options, attachments,
        trace, citations, usage, _time, _partition, _offset
    FROM jsonb_to_recordset($1::jsonb) AS e (
        _partition int, _offset bigint, _time timestamptz, _owner uuid, _tenant text, message_id uuid,
        conversation_id uuid, parent_id uuid, role text, content text, turn_id uuid, client_id uuid,
        edited_from uuid, regenerated_from uuid, assistant_message_id uuid, status text, options jsonb,
        attachments jsonb, trace jsonb, citations jsonb, usage jsonb
    )
    ON CONFLICT (message_id) DO NOTHING
    RETURNING conversation_id, created_at
)
INSERT INTO conversations AS t (conversation_id, message_count, last_message_at)
SELECT conversation_id, count(*), max(created_at) FROM posted GROUP BY conversation_id
ON CONFLICT (conversation_id) DO UPDATE SET
    message_count = t.message_count + excluded.message_count,
    last_message_at = greatest(t.last_message_at, excluded.last_message_at);
