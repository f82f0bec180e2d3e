INSERT INTO adapters AS t (adapter_id, active, _active)
SELECT DISTINCT ON (adapter_id) adapter_id, active, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, adapter_id uuid, active boolean)
ORDER BY adapter_id, _offset DESC
ON CONFLICT (adapter_id) DO UPDATE SET
    active = excluded.active,
    _active = excluded._active
WHERE excluded._active > t._active;
