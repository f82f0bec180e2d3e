INSERT INTO skills AS t (skill_id, merge_into, merge_overlap, _merge)
SELECT DISTINCT ON (skill_id) skill_id, "into", overlap, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, skill_id uuid, "into" uuid, overlap double precision)
ORDER BY skill_id, _offset DESC
ON CONFLICT (skill_id) DO UPDATE SET
    merge_into = excluded.merge_into,
    merge_overlap = excluded.merge_overlap,
    _merge = excluded._merge
WHERE excluded._merge > t._merge;
