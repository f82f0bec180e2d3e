-- Folds one after another, each on its array of events.
CREATE OR REPLACE FUNCTION liminal.run(calls text[], payload_of int[], payloads jsonb[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. cardinality(calls) LOOP
        EXECUTE format('SELECT %s($1)', calls[i]) USING payloads[payload_of[i]];
    END LOOP;
END
$$;

-- One batch of one partition, folded into a group of generations: all of it or nothing.
--
-- generations   who folds; all stand at the same position
-- known_parks   their counters of parked streams, as the caller knows them
-- is_live       whether the caller is the projector (true) or a rebuild (false)
-- part          the partition
-- start_at      the offset that the batch begins at
-- end_at        the offset after its last record
-- last_time     when its last event happened
-- calls         the folds to run, in order: qualified names of functions
-- payload_of    for each call, which payload it gets (from 1)
-- payloads      arrays of events
-- wake          names of projections whose waiters are told
--
-- Raises LM001 when another worker has folded this batch, or when the generations are no longer what the caller
-- thinks: nothing was written and the caller reads its checkpoints again.
CREATE OR REPLACE FUNCTION liminal.fold(
    generations int[], known_parks bigint[], is_live boolean, part int, start_at bigint, end_at bigint,
    last_time timestamptz, calls text[], payload_of int[], payloads jsonb[], wake text[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    moved int;
BEGIN
    UPDATE liminal.checkpoints AS c
    SET position = end_at, event_time = coalesce(last_time, c.event_time), folded_at = clock_timestamp()
    FROM unnest(generations, known_parks) AS g (id, parks)
    WHERE c.generation_id = g.id AND c.partition = part
        AND c.position = start_at AND c.parks = g.parks AND c.live = is_live;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> cardinality(generations) THEN
        RAISE EXCEPTION 'partition % does not stand at % any more', part, start_at USING ERRCODE = 'LM001';
    END IF;
    PERFORM liminal.run(calls, payload_of, payloads);
    PERFORM pg_notify('liminal_progress', format('%s %s %s', projection, part, end_at))
    FROM unnest(wake) AS projection;
END
$$;
