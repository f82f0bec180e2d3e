INSERT INTO feedback (feedback_id, withdrawn)
SELECT DISTINCT feedback_id, true FROM jsonb_to_recordset($1::jsonb) AS e (feedback_id uuid)
ON CONFLICT (feedback_id) DO UPDATE SET withdrawn = true;
