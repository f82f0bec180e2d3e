-- Where every read model stands. The rows themselves live in a schema per generation and can be folded again.
CREATE SCHEMA read;
COMMENT ON SCHEMA read IS 'Views on the live generation of every projection: what the application reads.';

-- one row: which log these read models were folded from, so that another one is refused
CREATE TABLE liminal.folded_log (
    id           int PRIMARY KEY CHECK (id = 1),
    cluster_id   text NOT NULL,
    topic        text NOT NULL,
    partitions   int NOT NULL,
    -- names the consumer group, so that two databases never share out the partitions of one log
    installation uuid NOT NULL DEFAULT gen_random_uuid()
);

CREATE TABLE liminal.generations (
    id          int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    projection  text NOT NULL,
    version     int NOT NULL,
    schema      text NOT NULL,
    state       text NOT NULL CHECK (state IN ('building', 'ready', 'live', 'previous', 'scratch')),
    -- sha256 of the folder that it was made from
    digest      text NOT NULL,
    -- event types that it folds, and _any and _verdict, each with the columns of the envelope that it asks for
    folds       jsonb NOT NULL,
    -- event types that nothing may be folded across
    barriers    text[] NOT NULL,
    -- the folder as it was then: it may have changed since
    definition  jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    switched_at timestamptz
);
CREATE UNIQUE INDEX generations_live ON liminal.generations (projection) WHERE state = 'live';
CREATE UNIQUE INDEX generations_previous ON liminal.generations (projection) WHERE state = 'previous';
CREATE UNIQUE INDEX generations_next ON liminal.generations (projection) WHERE state IN ('building', 'ready');
CREATE UNIQUE INDEX generations_schema ON liminal.generations (schema, projection);

CREATE TABLE liminal.checkpoints (
    generation_id int NOT NULL REFERENCES liminal.generations ON DELETE CASCADE,
    partition     int NOT NULL,
    -- offset of the next record to fold
    position      bigint NOT NULL DEFAULT 0,
    -- folded by the projector, not by a rebuild
    live          boolean NOT NULL,
    -- counts changes of what is parked here, so that who folds with an old list is fenced
    parks         bigint NOT NULL DEFAULT 0,
    -- batches that came too late: somebody else had folded them
    fenced        bigint NOT NULL DEFAULT 0,
    event_time    timestamptz,
    folded_at     timestamptz,
    PRIMARY KEY (generation_id, partition)
) WITH (fillfactor = 40);

CREATE TABLE liminal.parked (
    generation_id int NOT NULL REFERENCES liminal.generations ON DELETE CASCADE,
    partition     int NOT NULL,
    log_offset    bigint NOT NULL,
    stream        text NOT NULL,
    type          text NOT NULL,
    event_id      text,
    -- the verdict and the stream's version after it; null for a plain append
    accepted      boolean,
    version       int,
    -- null for an event that only waits behind the one that failed
    error         text,
    -- the record as it lies on the log, personal fields encrypted
    key           bytea,
    value         bytea,
    headers       jsonb NOT NULL,
    parked_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (generation_id, partition, log_offset)
);
CREATE INDEX parked_stream ON liminal.parked (stream);

CREATE TABLE liminal.rebuilds (
    id             int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    projections    text[] NOT NULL,
    generation_ids int[] NOT NULL,
    -- partition → offset that it began at, and that it is to reach
    origins        jsonb NOT NULL,
    targets        jsonb NOT NULL,
    state          text NOT NULL CHECK (state IN ('running', 'done', 'failed')),
    phase          text NOT NULL DEFAULT 'fold' CHECK (phase IN ('fold', 'index', 'done')),
    error          jsonb,
    started_at     timestamptz NOT NULL DEFAULT now(),
    finished_at    timestamptz
);

CREATE VIEW read.progress AS
    SELECT g.projection, c.partition, c.position AS "offset", c.event_time, c.folded_at
    FROM liminal.checkpoints c JOIN liminal.generations g ON g.id = c.generation_id
    WHERE g.state = 'live';
COMMENT ON VIEW read.progress IS 'For every live projection and partition: the offset before which all is folded.';
