INSERT INTO _evidence AS t (evidence_id, withdrawn, _gone)
SELECT DISTINCT ON (feedback_id) feedback_id, true, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, feedback_id uuid)
ORDER BY feedback_id, _offset DESC
ON CONFLICT (evidence_id) DO UPDATE SET
    withdrawn = true,
    _gone = greatest(t._gone, excluded._gone);
