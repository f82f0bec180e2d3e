INSERT INTO _evidence AS t (evidence_id, value, _judged)
SELECT DISTINCT ON (feedback_id) feedback_id, value, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, feedback_id uuid, value int)
ORDER BY feedback_id, _offset DESC
ON CONFLICT (evidence_id) DO UPDATE SET
    value = excluded.value,
    _judged = excluded._judged
WHERE excluded._judged > t._judged;
