CREATE INDEX conversations_by_owner ON conversations (owner_id);
CREATE INDEX messages_by_conversation ON messages (conversation_id, partition, "offset");
CREATE INDEX messages_by_turn ON messages (turn_id);
