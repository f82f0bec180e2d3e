INSERT INTO _log_counts AS c (partition, day, type, events)
SELECT _partition, (_time AT TIME ZONE 'UTC')::date, _type, count(*)
FROM json_to_recordset($1::json) AS e (_partition int, _time timestamptz, _type text)
GROUP BY 1, 2, 3
ON CONFLICT (partition, day, type) DO UPDATE SET events = c.events + excluded.events;
