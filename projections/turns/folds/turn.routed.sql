INSERT INTO _routes AS t (
    turn_id, owner_id, model, backend, adapters, policy_id, policy_version, rules, workflow_id,
    workflow_version, seed, sampling, instructions, context_ids, facts,
    shadow, summary_version, routed_at, _routed
)
SELECT DISTINCT ON (turn_id)
    turn_id, _owner, model, coalesce(backend, 'jax'), coalesce(adapters, '[]'), policy_id, policy_version,
    coalesce(rules, '[]'), workflow_id, workflow_version, seed, coalesce(sampling, '{}'),
    coalesce(instructions, '[]'), coalesce(context_ids, '{}'), facts, shadow,
    summary_version, _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, _owner uuid, turn_id uuid, model text, backend text, adapters jsonb,
    policy_id text, policy_version int, rules jsonb, workflow_id text, workflow_version int, seed bigint,
    sampling jsonb, instructions jsonb, context_ids uuid[], facts jsonb, shadow jsonb, summary_version int
)
ORDER BY turn_id, _offset DESC
ON CONFLICT (turn_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    model = excluded.model,
    backend = excluded.backend,
    adapters = excluded.adapters,
    policy_id = excluded.policy_id,
    policy_version = excluded.policy_version,
    rules = excluded.rules,
    workflow_id = excluded.workflow_id,
    workflow_version = excluded.workflow_version,
    seed = excluded.seed,
    sampling = excluded.sampling,
    instructions = excluded.instructions,
    context_ids = excluded.context_ids,
    facts = excluded.facts,
    shadow = excluded.shadow,
    summary_version = excluded.summary_version,
    routed_at = excluded.routed_at,
    _routed = excluded._routed
WHERE excluded._routed > t._routed;
