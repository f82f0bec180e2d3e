CREATE VIEW read.log_counts AS
SELECT type, day, sum(events)::bigint AS events FROM _log_counts GROUP BY type, day;
