INSERT INTO adapters (adapter_id, retired)
SELECT DISTINCT adapter_id, true FROM jsonb_to_recordset($1::jsonb) AS e (adapter_id uuid)
ON CONFLICT (adapter_id) DO UPDATE SET retired = true;
