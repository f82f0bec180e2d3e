UPDATE _preferences SET
    statement = NULL,
    value = NULL,
    own_statement = NULL,
    own_value = NULL
WHERE owner_id::text IN (
    SELECT subject FROM jsonb_to_recordset($1::jsonb) AS e (scope text, subject text, key_deleted boolean)
    WHERE scope IN ('account', 'tenant') AND key_deleted
);
