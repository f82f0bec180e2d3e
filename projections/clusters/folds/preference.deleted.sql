INSERT INTO _evidence AS t (evidence_id, _gone)
SELECT preference_id, max(_offset) FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, preference_id uuid)
GROUP BY preference_id
ON CONFLICT (evidence_id) DO UPDATE SET _gone = greatest(t._gone, excluded._gone);
