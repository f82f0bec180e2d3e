WITH erased AS (
    SELECT subject FROM jsonb_to_recordset($1::jsonb) AS e (scope text, subject text, key_deleted boolean)
    WHERE scope IN ('account', 'tenant') AND key_deleted
), calls AS (
    UPDATE tool_calls SET arguments = NULL, result = NULL
    WHERE owner_id::text IN (SELECT subject FROM erased)
)
UPDATE _routes SET facts = NULL, shadow = CASE WHEN shadow ? 'instructions' THEN jsonb_set(
    shadow, '{instructions}',
    (SELECT coalesce(jsonb_agg('null'::jsonb), '[]') FROM jsonb_array_elements(shadow -> 'instructions'))
) ELSE shadow END, instructions = (
    SELECT coalesce(jsonb_agg('null'::jsonb), '[]') FROM jsonb_array_elements(instructions)
)
WHERE owner_id::text IN (SELECT subject FROM erased);
