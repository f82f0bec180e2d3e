CREATE INDEX adapters_by_subject ON adapters (subject);
CREATE INDEX adapters_by_skill ON adapters (skill_id);
CREATE INDEX adapter_versions_by_run ON adapter_versions (run_id);
CREATE INDEX adapter_versions_by_content ON adapter_versions (content_hash);
CREATE INDEX adapter_feedback_by_feedback ON adapter_feedback (feedback_id);
