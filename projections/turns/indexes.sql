CREATE INDEX requests_by_conversation ON _requests (conversation_id);
CREATE INDEX tool_calls_by_turn ON tool_calls (turn_id);
