INSERT INTO verdicts (partition, "offset", event_id, owner, stream, expected, accepted, version)
SELECT
    _partition, _offset, CASE WHEN pg_input_is_valid(_id, 'uuid') THEN _id::uuid END, _owner, _stream,
    _expected,
    accepted, version
FROM jsonb_to_recordset($1::jsonb) AS e (
    _partition int, _offset bigint, _id text, _owner text, _stream text, _expected numeric, accepted boolean,
    version int
);
