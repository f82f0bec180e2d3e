INSERT INTO _runs AS t (
    run_id, owner_id, tenant_id, scope, subject, positions, algorithm, parameters, seed, points, clusters,
    changes, decided_at, _decided
)
SELECT DISTINCT ON (run_id)
    run_id, _owner, _tenant, scope, subject, positions, algorithm, parameters, seed, points, clusters, changes,
    _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, _owner text, _tenant text, run_id uuid, scope text, subject text,
    positions jsonb, algorithm text, parameters jsonb, seed bigint, points int, clusters int, changes jsonb
)
ORDER BY run_id, _offset
ON CONFLICT (run_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    tenant_id = excluded.tenant_id,
    scope = excluded.scope,
    subject = excluded.subject,
    positions = excluded.positions,
    algorithm = excluded.algorithm,
    parameters = excluded.parameters,
    seed = excluded.seed,
    points = excluded.points,
    clusters = excluded.clusters,
    changes = excluded.changes,
    decided_at = excluded.decided_at,
    _decided = excluded._decided
WHERE t._decided IS NULL;
