INSERT INTO _log_counts AS c (partition, day, type, events)
SELECT _partition, (_time AT TIME ZONE 'UTC')::date, _type, sum(_events)
FROM jsonb_to_recordset($1::jsonb) AS e (_partition int, _time timestamptz, _type text, _events bigint)
GROUP BY 1, 2, 3
ON CONFLICT (partition, day, type) DO UPDATE SET events = c.events + excluded.events;
