WITH erased AS (
    SELECT subject FROM jsonb_to_recordset($1::jsonb) AS e (scope text, subject text, key_deleted boolean)
    WHERE scope IN ('account', 'tenant') AND key_deleted
), versions AS (
    UPDATE artifact_versions SET body = NULL, operations = NULL, reason = NULL
    WHERE owner_id IN (SELECT subject FROM erased)
), proposals AS (
    UPDATE patches SET operations = NULL, rationale = NULL, reason = NULL
    WHERE owner_id IN (SELECT subject FROM erased)
)
UPDATE artifacts SET name = NULL, description = NULL, body = NULL
WHERE owner_id IN (SELECT subject FROM erased);
