INSERT INTO _points AS t (owner_id, evidence_id, run_id, x, y, _mapped)
SELECT DISTINCT ON (_owner, member) _owner, member, run_id, px, py, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _owner text, run_id uuid, members uuid[], x real[], y real[]
), unnest(members, x, y) WITH ORDINALITY AS p (member, px, py, place)
WHERE member IS NOT NULL
ORDER BY _owner, member, _offset DESC, place
ON CONFLICT (owner_id, evidence_id) DO UPDATE SET
    run_id = excluded.run_id,
    x = excluded.x,
    y = excluded.y,
    _mapped = excluded._mapped
WHERE excluded._mapped > t._mapped;
