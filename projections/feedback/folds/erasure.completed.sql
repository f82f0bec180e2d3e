WITH erased AS (
    SELECT scope, subject FROM jsonb_to_recordset($1::jsonb) AS e (scope text, subject text, key_deleted boolean)
    WHERE scope = 'feedback' OR (scope IN ('account', 'tenant') AND key_deleted)
), gone AS (
    DELETE FROM feedback WHERE feedback_id::text IN (SELECT subject FROM erased WHERE scope = 'feedback')
)
UPDATE feedback SET text = NULL WHERE owner_id::text IN (SELECT subject FROM erased WHERE scope <> 'feedback');
