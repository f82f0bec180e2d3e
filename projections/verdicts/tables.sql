CREATE TABLE verdicts (
    partition int NOT NULL,
    "offset"  bigint NOT NULL,
    -- null where a record's id is none
    event_id  uuid,
    owner     text NOT NULL,
    stream    text NOT NULL,
    expected  numeric NOT NULL,
    accepted  boolean NOT NULL,
    -- of the stream, after this record
    version   int NOT NULL,
    PRIMARY KEY (partition, "offset")
);
CREATE INDEX verdicts_by_event ON verdicts (event_id);
