INSERT INTO conversations (conversation_id, deleted)
SELECT DISTINCT conversation_id, true FROM json_to_recordset($1::json) AS e (conversation_id uuid)
ON CONFLICT (conversation_id) DO UPDATE SET deleted = true;
