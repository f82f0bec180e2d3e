-- by partition too, so that partitions folded side by side never wait for one row
CREATE TABLE _log_counts (
    partition int NOT NULL,
    day       date NOT NULL,
    type      text NOT NULL,
    events    bigint NOT NULL,
    PRIMARY KEY (partition, day, type)
) WITH (fillfactor = 50);
