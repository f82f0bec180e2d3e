INSERT INTO patches AS t (patch_id, backtest_turns, backtest_changed, backtest_report, owner_id, _backtest)
SELECT DISTINCT ON (patch_id) patch_id, turns, changed, report, _owner, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, patch_id uuid, turns int, changed int, report jsonb, _owner text
)
ORDER BY patch_id, _offset DESC
ON CONFLICT (patch_id) DO UPDATE SET
    backtest_turns = excluded.backtest_turns,
    backtest_changed = excluded.backtest_changed,
    backtest_report = excluded.backtest_report,
    owner_id = excluded.owner_id,
    _backtest = excluded._backtest
WHERE excluded._backtest > t._backtest;
