-- a turn that is asked for again after it ended is open again
CREATE VIEW read.turns AS
SELECT
    q.turn_id, q.conversation_id, q.owner_id, q.tenant_id, q.kind, q.user_message_id,
    coalesce(o.message_id, q.assistant_message_id) AS assistant_message_id, q.regenerated_from,
    CASE
        WHEN o._ended > q._requested THEN o.state
        WHEN r._routed > q._requested THEN 'routed'
        ELSE 'requested'
    END AS state,
    r.model, r.backend, r.adapters, r.policy_id, r.policy_version, r.rules, r.workflow_id, r.workflow_version,
    r.seed, r.sampling, r.instructions, r.context_ids,
    r.facts, r.shadow, r.summary_version,
    o.ended_by, o.error_code, o.error_message, o.retryable, o.timings,
    q.requested_at, r.routed_at, o.ended_at
FROM _requests q LEFT JOIN _routes r USING (turn_id) LEFT JOIN _outcomes o USING (turn_id);
