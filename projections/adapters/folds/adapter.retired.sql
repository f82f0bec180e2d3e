INSERT INTO adapters (adapter_id, retired)
SELECT DISTINCT adapter_id, true FROM json_to_recordset($1::json) AS e (adapter_id uuid)
ON CONFLICT (adapter_id) DO UPDATE SET retired = true;
