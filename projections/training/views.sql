CREATE VIEW read.training_runs AS
SELECT
    run_id, owner_id, tenant_id, adapter_id, adapter_version, skill_id, scope, subject, base_model, base_hash,
    parent_version, dataset, method, hyperparameters, seed, reason, queued_at,
    coalesce(outcome, state, 'queued') AS state, worker, attempt, started_at, step, steps, metrics, checkpoint,
    weights, content_hash, seconds, coalesce(outcome_code, error_code) AS error_code,
    coalesce(outcome_message, error_message) AS error_message, ended_by, ended_at,
    greatest(queued_at, changed_at, ended_at) AS changed_at
FROM training_runs WHERE _queued >= 0;
