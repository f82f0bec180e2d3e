INSERT INTO adapter_versions AS t (
    adapter_id, version, owner_id, passed, figures, baseline_version, examples, regressions, report, seed,
    evaluated_at, _evaluated
)
SELECT DISTINCT ON (adapter_id, adapter_version)
    adapter_id, adapter_version, _owner, passed, figures, baseline_version, examples, regressions, report,
    seed, _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, _owner text, adapter_id uuid, adapter_version int, passed boolean,
    figures jsonb, baseline_version int, examples int, regressions int, report jsonb, seed bigint
)
ORDER BY adapter_id, adapter_version, _offset DESC
ON CONFLICT (adapter_id, version) DO UPDATE SET
    owner_id = excluded.owner_id,
    passed = excluded.passed,
    figures = excluded.figures,
    baseline_version = excluded.baseline_version,
    examples = excluded.examples,
    regressions = excluded.regressions,
    report = excluded.report,
    seed = excluded.seed,
    evaluated_at = excluded.evaluated_at,
    _evaluated = excluded._evaluated
WHERE excluded._evaluated > t._evaluated;
