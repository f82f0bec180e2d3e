WITH erased AS (
    SELECT subject FROM json_to_recordset($1::json) AS e (scope text, subject text, key_deleted boolean)
    WHERE scope IN ('account', 'tenant') AND key_deleted
), calls AS (
    UPDATE tool_calls SET arguments = NULL, result = NULL
    WHERE owner_id::text IN (SELECT subject FROM erased)
)
UPDATE _routes SET instructions = (
    SELECT coalesce(jsonb_agg('null'::jsonb), '[]') FROM jsonb_array_elements(instructions)
)
WHERE owner_id::text IN (SELECT subject FROM erased);
