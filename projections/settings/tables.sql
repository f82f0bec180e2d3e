CREATE TABLE _settings (
    scope    text NOT NULL,
    subject  text NOT NULL,
    name     text NOT NULL,
    -- JSON null and SQL null both say: back to the default
    value    jsonb,
    owner    text NOT NULL,
    _changed bigint NOT NULL,
    PRIMARY KEY (scope, subject, name)
);
