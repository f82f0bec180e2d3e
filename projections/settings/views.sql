CREATE VIEW read.settings AS
SELECT scope, subject, jsonb_object_agg(name, value) AS settings
FROM _settings WHERE jsonb_typeof(value) <> 'null' GROUP BY scope, subject;
