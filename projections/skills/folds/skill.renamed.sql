INSERT INTO skills AS t (skill_id, owner_id, renamed, _renamed)
SELECT DISTINCT ON (skill_id) skill_id, _owner, label, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (_offset bigint, _owner text, skill_id uuid, label text)
ORDER BY skill_id, _offset DESC
ON CONFLICT (skill_id) DO UPDATE SET
    owner_id = excluded.owner_id,
    renamed = excluded.renamed,
    _renamed = excluded._renamed
WHERE excluded._renamed > t._renamed;
