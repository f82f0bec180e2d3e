-- a proposal to merge or to prune is open until something is decided after it
CREATE VIEW read.skills AS
SELECT
    skill_id, cluster_id, owner_id, tenant_id, kind, scope, subject, coalesce(renamed, label) AS label,
    renamed IS NOT NULL AS renamed, coalesce(decision, 'proposed') AS state, active, size, positive, negative,
    thresholds_id, thresholds_version, decided_by, rule, reason, merged_into, decided_at,
    CASE WHEN _merge > _decided THEN merge_into END AS merge_into,
    CASE WHEN _merge > _decided THEN merge_overlap END AS merge_overlap,
    merge_into AS merge_asked,
    CASE WHEN _prune > _decided THEN prune_turns END AS prune_turns,
    CASE WHEN _prune > _decided THEN prune_days END AS prune_days,
    proposed_at
FROM skills WHERE _created IS NOT NULL;
