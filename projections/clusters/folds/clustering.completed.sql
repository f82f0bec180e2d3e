INSERT INTO _runs AS t (run_id, completed_at, _completed)
SELECT DISTINCT ON (run_id) run_id, _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, _time timestamptz, run_id uuid)
ORDER BY run_id, _offset
ON CONFLICT (run_id) DO UPDATE SET
    completed_at = excluded.completed_at,
    _completed = excluded._completed
WHERE t._completed IS NULL;
