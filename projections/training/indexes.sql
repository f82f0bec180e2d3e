CREATE INDEX ON training_runs (owner_id, queued_at);
CREATE INDEX ON training_runs (tenant_id, queued_at);
CREATE INDEX ON training_runs (adapter_id, adapter_version);
