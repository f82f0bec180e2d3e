CREATE VIEW read.patches AS
SELECT
    patch_id, owner_id, artifact_id, base_version, operations, rationale, source, actor,
    CASE WHEN applied_version IS NOT NULL THEN 'applied' ELSE coalesce(decision, 'proposed') END AS state,
    decided_by, reason, decided_at, applied_version, applied_at, backtest_turns, backtest_changed,
    backtest_report, proposed_at
FROM patches WHERE _created IS NOT NULL;
