WITH erased AS (
    SELECT subject FROM jsonb_to_recordset($1::jsonb) AS e (scope text, subject text, key_deleted boolean)
    WHERE scope IN ('account', 'tenant') AND key_deleted
)
UPDATE adapter_versions SET reason = NULL WHERE owner_id IN (SELECT subject FROM erased);
