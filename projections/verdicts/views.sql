-- an event that was appended twice under one id was accepted when either of its records was
CREATE VIEW read.verdicts AS
SELECT DISTINCT ON (event_id) event_id, accepted, version, owner, stream, expected, partition, "offset"
FROM verdicts WHERE event_id IS NOT NULL
ORDER BY event_id, accepted DESC, partition, "offset";

CREATE VIEW read.streams AS SELECT owner, stream, version FROM _streams;
