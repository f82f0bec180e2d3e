WITH erased AS (
    SELECT subject FROM jsonb_to_recordset($1::jsonb) AS e (scope text, subject text, key_deleted boolean)
    WHERE scope IN ('account', 'tenant') AND key_deleted
)
DELETE FROM _settings WHERE owner IN (SELECT subject FROM erased);
