CREATE VIEW read.adapter_versions AS
SELECT
    v.adapter_id, v.version, v.owner_id, v.run_id, v.weights_hash, v.weights_size, v.content_hash, v.base_model,
    v.base_hash, v.rank, v.alpha, v.targets, v.parent_version, v.dataset_hash, v.feedback_ids, v.trained_at,
    v.passed, v.figures, v.baseline_version, v.examples, v.regressions, v.report, v.seed, v.evaluated_at,
    coalesce(v.decision, CASE WHEN v.passed IS NULL THEN 'trained' ELSE 'evaluated' END) AS state,
    v.decided_by, v.reasons, v.reason, v.decided_at,
    coalesce(a.serving_version = v.version, false) AS serving,
    EXISTS (
        SELECT FROM adapter_feedback f
        WHERE f.adapter_id = v.adapter_id AND f.version = v.version AND f.withdrawn
    ) AS tainted
FROM adapter_versions v LEFT JOIN adapters a USING (adapter_id)
WHERE v._created IS NOT NULL;
