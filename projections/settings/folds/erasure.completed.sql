WITH erased AS (
    SELECT subject FROM json_to_recordset($1::json) AS e (scope text, subject text, key_deleted boolean)
    WHERE scope IN ('account', 'tenant') AND key_deleted
)
DELETE FROM _settings WHERE owner IN (SELECT subject FROM erased);
