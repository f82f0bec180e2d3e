CREATE INDEX feedback_by_owner ON feedback (owner_id, created_at);
CREATE INDEX feedback_by_message ON feedback (message_id);
