WITH erased AS (
    SELECT subject FROM json_to_recordset($1::json) AS e (scope text, subject text, key_deleted boolean)
    WHERE scope IN ('account', 'tenant') AND key_deleted
)
UPDATE adapter_versions SET reason = NULL WHERE owner_id IN (SELECT subject FROM erased);
