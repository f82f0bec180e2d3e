INSERT INTO adapter_feedback (adapter_id, version, feedback_id, withdrawn)
SELECT DISTINCT adapter_id, adapter_version, feedback_id, true
FROM jsonb_to_recordset($1::jsonb) AS e (adapter_id uuid, adapter_version int, feedback_ids uuid[]),
    unnest(feedback_ids) AS feedback_id
ON CONFLICT (adapter_id, version, feedback_id) DO UPDATE SET withdrawn = true;
