-- Of an owner whose key is gone the words go, just as they would when folded again; a conversation goes whole.
WITH erased AS (
    SELECT scope, subject FROM jsonb_to_recordset($1::jsonb) AS e (scope text, subject text, key_deleted boolean)
    WHERE scope = 'conversation' OR (scope IN ('account', 'tenant') AND key_deleted)
), words AS (
    UPDATE messages SET
        content = NULL,
        options = (
            SELECT jsonb_object_agg(key, CASE WHEN key IN ('system', 'extra') THEN 'null' ELSE value END)
            FROM jsonb_each(options)
        ),
        attachments = (
            SELECT jsonb_agg(file || '{"name": null}' ORDER BY place)
            FROM jsonb_array_elements(attachments) WITH ORDINALITY AS a (file, place)
        ),
        citations = (
            SELECT jsonb_agg(passage || '{"title": null, "text": null}' ORDER BY place)
            FROM jsonb_array_elements(citations) WITH ORDINALITY AS a (passage, place)
        ),
        trace = jsonb_set(trace, '{steps}', (
            SELECT coalesce(jsonb_agg('null'::jsonb), '[]') FROM jsonb_array_elements(trace -> 'steps')
        ))
    WHERE owner_id::text IN (SELECT subject FROM erased WHERE scope <> 'conversation')
), gone AS (
    DELETE FROM messages
    WHERE conversation_id::text IN (SELECT subject FROM erased WHERE scope = 'conversation')
)
UPDATE conversations SET title = NULL, deleted = true
WHERE owner_id::text IN (SELECT subject FROM erased WHERE scope <> 'conversation')
    OR conversation_id::text IN (SELECT subject FROM erased WHERE scope = 'conversation');
