CREATE INDEX tool_calls_by_turn ON tool_calls (turn_id);
