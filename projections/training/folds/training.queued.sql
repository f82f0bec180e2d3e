INSERT INTO training_runs AS t (
    run_id, owner_id, tenant_id, adapter_id, adapter_version, skill_id, scope, subject, base_model, base_hash,
    parent_version, dataset, method, hyperparameters, seed, reason, queued_at, _queued
)
SELECT DISTINCT ON (run_id)
    run_id, _owner, _tenant, adapter_id, adapter_version, skill_id, scope, subject, base_model, base_hash,
    parent_version, dataset, method, hyperparameters, seed, reason, _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, _owner text, _tenant text, run_id uuid, adapter_id uuid,
    adapter_version int, skill_id uuid, scope text, subject text, base_model text, base_hash text,
    parent_version int, dataset jsonb, method text, hyperparameters jsonb, seed bigint, reason text
)
ORDER BY run_id, _offset DESC
ON CONFLICT (run_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    tenant_id = excluded.tenant_id,
    adapter_id = excluded.adapter_id,
    adapter_version = excluded.adapter_version,
    skill_id = excluded.skill_id,
    scope = excluded.scope,
    subject = excluded.subject,
    base_model = excluded.base_model,
    base_hash = excluded.base_hash,
    parent_version = excluded.parent_version,
    dataset = excluded.dataset,
    method = excluded.method,
    hyperparameters = excluded.hyperparameters,
    seed = excluded.seed,
    reason = excluded.reason,
    queued_at = excluded.queued_at,
    _queued = excluded._queued
WHERE excluded._queued > t._queued;
