INSERT INTO tool_calls AS t (call_id, owner_id, ok, result, error_code, finished_at, _finished)
SELECT DISTINCT ON (call_id) call_id, _owner, ok, result, error_code, _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, _owner uuid, call_id uuid, ok boolean, result jsonb, error_code text
)
ORDER BY call_id, _offset
ON CONFLICT (call_id) DO UPDATE SET
    ok = excluded.ok,
    result = excluded.result,
    error_code = excluded.error_code,
    finished_at = excluded.finished_at,
    _finished = excluded._finished
WHERE t._finished IS NULL;
