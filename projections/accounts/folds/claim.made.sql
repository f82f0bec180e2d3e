INSERT INTO _claims AS t (claim_hash, kind, holder, version, changed_at, _changed)
SELECT DISTINCT ON (claim) claim, kind, holder, _version, _time, _offset
FROM jsonb_to_recordset($1::jsonb) AS e (
    _offset bigint, _time timestamptz, _version int, claim text, kind text, holder text
)
ORDER BY claim, _offset DESC
ON CONFLICT (claim_hash) DO UPDATE SET
    kind = excluded.kind,
    holder = excluded.holder,
    version = excluded.version,
    changed_at = excluded.changed_at,
    _changed = excluded._changed
WHERE excluded._changed > t._changed;
