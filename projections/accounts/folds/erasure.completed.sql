WITH erased AS (
    SELECT subject FROM jsonb_to_recordset($1::jsonb) AS e (scope text, subject text, key_deleted boolean)
    WHERE scope IN ('account', 'tenant') AND key_deleted
), keys AS (
    UPDATE api_keys SET name = NULL WHERE account_id::text IN (SELECT subject FROM erased)
), places AS (
    UPDATE _sessions SET user_agent = NULL, address = NULL
    WHERE account_id::text IN (SELECT subject FROM erased)
), names AS (
    UPDATE tenants SET name = NULL WHERE owner_id IN (SELECT subject FROM erased)
)
UPDATE accounts SET email = NULL, display_name = NULL WHERE account_id::text IN (SELECT subject FROM erased);
