CREATE INDEX ON training_runs (subject, queued_at);
CREATE INDEX ON training_runs (adapter_id, adapter_version);
