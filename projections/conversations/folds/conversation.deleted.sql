INSERT INTO conversations (conversation_id, deleted)
SELECT DISTINCT conversation_id, true FROM jsonb_to_recordset($1::jsonb) AS e (conversation_id uuid)
ON CONFLICT (conversation_id) DO UPDATE SET deleted = true;
