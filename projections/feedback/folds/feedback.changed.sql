INSERT INTO feedback AS t (feedback_id, value, text, updated_at, owner_id, _judged)
SELECT DISTINCT ON (feedback_id) feedback_id, value, text, _time, _owner, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, feedback_id uuid, value int, text text, _owner uuid
)
ORDER BY feedback_id, _offset DESC
ON CONFLICT (feedback_id) DO UPDATE SET
    value = excluded.value,
    text = excluded.text,
    updated_at = excluded.updated_at,
    owner_id = excluded.owner_id,
    _judged = excluded._judged
WHERE excluded._judged > t._judged;
