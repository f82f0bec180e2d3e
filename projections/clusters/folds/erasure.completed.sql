WITH erased AS (
    SELECT scope, subject FROM jsonb_to_recordset($1::jsonb) AS e (scope text, subject text, key_deleted boolean)
    WHERE scope = 'feedback' OR (scope IN ('account', 'tenant') AND key_deleted)
), gone AS (
    UPDATE _evidence SET withdrawn = true
    WHERE evidence_id::text IN (SELECT subject FROM erased WHERE scope = 'feedback')
       OR owner_id::text IN (SELECT subject FROM erased WHERE scope <> 'feedback')
), places AS (
    UPDATE _points SET x = NULL, y = NULL
    WHERE owner_id IN (SELECT subject FROM erased WHERE scope <> 'feedback')
)
UPDATE _clusters SET
    label = NULL,
    named = NULL,
    centroid = NULL,
    words = array_fill(NULL::text, ARRAY[cardinality(words)])
WHERE owner_id IN (SELECT subject FROM erased WHERE scope <> 'feedback');
