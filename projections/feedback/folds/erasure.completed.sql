WITH erased AS (
    SELECT scope, subject FROM json_to_recordset($1::json) AS e (scope text, subject text, key_deleted boolean)
    WHERE scope = 'feedback' OR (scope IN ('account', 'tenant') AND key_deleted)
), wishes AS (
    UPDATE preferences SET statement = NULL, value = NULL
    WHERE owner_id::text IN (SELECT subject FROM erased WHERE scope <> 'feedback')
), gone AS (
    DELETE FROM feedback WHERE feedback_id::text IN (SELECT subject FROM erased WHERE scope = 'feedback')
)
UPDATE feedback SET text = NULL WHERE owner_id::text IN (SELECT subject FROM erased WHERE scope <> 'feedback');
