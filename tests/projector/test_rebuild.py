"""Filling the next generation beside the live one, and switching to it and back."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

import orjson
import pytest
from tests.projector.conftest import caught_up, fold_everything, working
from tests.projector.people import Person
from tests.projector.test_parked import append_unknown

from liminal.log.ids import new_id
from liminal.log.log import Log
from liminal.projector.errors import NoGeneration, RebuildRunning, RebuildStopped
from liminal.projector.generation import generations
from liminal.projector.parked import parked_streams
from liminal.projector.reader import end_offsets
from liminal.projector.rebuild import Progress, plain_settings, plan_rebuild, run_rebuild
from liminal.projector.resources import Resources, open_resources
from liminal.projector.scratch import drop_scratch, fold_until
from liminal.projector.switch import rollback, switch
from liminal.projector.verify import hash_live, verify
from liminal.projector.worker import Worker

WAITING = """
CREATE FUNCTION public.waiting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1);
    IF EXISTS (
        SELECT FROM liminal.checkpoints
        WHERE generation_id = {generation} AND position > 0 AND xmin <> pg_current_xact_id()::xid
    ) THEN
        PERFORM pg_advisory_xact_lock(2);
    END IF;
    RETURN NULL;
END $$
"""


async def talk(log: Log, people: int = 8, messages: int = 10) -> list[Person]:
    """Some conversations, with turns that were decided."""
    everybody = [Person() for _ in range(people)]
    for person in everybody:
        conversation = new_id()
        await log.append_many(
            [
                person.begin(conversation, "talk"),
                *(person.say(conversation, f"words {n}") for n in range(messages)),
            ]
        )
    return everybody


async def test_read_models_that_were_dropped_and_rebuilt_are_hash_equal(
    log: Log, resources: Resources
) -> None:
    await talk(log)
    ada, turn = Person(), new_id()
    async with working(resources):
        await log.append(*ada.route(new_id(), turn), expected_version=0)
    await fold_everything(resources)
    before = await hash_live(resources)
    async with resources.pool.acquire() as connection:
        for generation in await generations(connection):
            await connection.execute(f'DROP SCHEMA "{generation.schema}" CASCADE')
        await connection.execute("DELETE FROM liminal.generations")
    async with open_resources(resources.settings) as fresh:
        await fold_everything(fresh)
        assert await hash_live(fresh) == before
        assert len(before) == len(resources.definitions)


async def test_a_rebuild_fills_the_next_generation_and_a_switch_shows_it(
    log: Log, resources: Resources, worker: Worker
) -> None:
    [ada, *_] = await talk(log)
    seen: list[Progress] = []
    plan = await plan_rebuild(resources, ["conversations", "turns"])
    await run_rebuild(resources, plan, workers=2, on_progress=seen.append)
    assert (seen[-1].state, seen[-1].done, seen[-1].total) == ("done", 88, 88)
    # what comes meanwhile is caught up with by the switch
    position = await log.append(*ada.say(new_id(), "meanwhile"))
    await log.wait_for(position)
    before = await hash_live(resources)
    live = await switch(resources, "conversations")
    assert live.schema == "conversations_v1_2"
    assert await hash_live(resources) == before
    position = await log.append(*ada.say(new_id(), "afterwards"))
    await log.wait_for(position, "conversations")
    assert await log.pool.fetchval("SELECT count(*) FROM read.messages") == 8 * 10 + 2
    assert all(result.equal for result in await verify(resources))
    with pytest.raises(NoGeneration):
        await switch(resources, "conversations")


async def test_rollback_shows_the_generation_before_at_once_and_it_catches_up(
    log: Log, resources: Resources, worker: Worker
) -> None:
    [ada, *_] = await talk(log)
    await run_rebuild(resources, await plan_rebuild(resources, ["conversations"]))
    await switch(resources, "conversations")
    position = await log.append(*ada.say(new_id(), "only in the new one"))
    await log.wait_for(position, "conversations")
    assert (await rollback(resources, "conversations")).schema == "conversations_v1"
    await caught_up(resources)  # not wait_for: the log may not have heard of the rollback yet
    assert await log.pool.fetchval("SELECT count(*) FROM read.messages") == 81
    assert (await rollback(resources, "conversations")).schema == "conversations_v1_2"
    assert all(result.equal for result in await verify(resources))


async def test_no_read_fails_while_views_are_switched(log: Log, resources: Resources, worker: Worker) -> None:
    await talk(log)
    await caught_up(resources)
    stop = asyncio.Event()
    reads = 0

    async def read() -> None:
        nonlocal reads
        while not stop.is_set():
            rows = await resources.pool.fetch(
                "SELECT c.conversation_id, count(m.message_id) AS messages FROM read.conversations c "
                "JOIN read.messages m USING (conversation_id) GROUP BY 1"
            )
            assert [row["messages"] for row in rows] == [10] * 8
            reads += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(read())
        await run_rebuild(resources, await plan_rebuild(resources, ["conversations"]))
        await switch(resources, "conversations")
        for _ in range(4):
            await rollback(resources, "conversations")
        stop.set()
    assert reads > 20


async def test_a_rebuild_that_is_killed_resumes_where_it_was(log: Log, resources: Resources) -> None:
    await talk(log, people=12, messages=150)
    await fold_everything(resources)
    plan = await plan_rebuild(resources, ["conversations"])
    # each partition folds after the other, and the second waits for a lock that the test holds
    await resources.pool.execute(WAITING.format(generation=plan.generations[0].id))
    await resources.pool.execute(
        f'CREATE TRIGGER waiting BEFORE INSERT ON "{plan.generations[0].schema}".messages '
        "FOR EACH STATEMENT EXECUTE FUNCTION public.waiting()"
    )
    targets = {str(partition): target for partition, target in plan.targets.items()}
    job = {
        "settings": plain_settings(resources.settings),
        "generations": [plan.generations[0].id],
        "targets": targets,
        "park": False,
    }
    async with resources.pool.acquire() as holder:
        await holder.execute("SELECT pg_advisory_lock(2)")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "liminal.projector.rebuilder", stdin=asyncio.subprocess.PIPE
        )
        assert process.stdin is not None
        process.stdin.write(orjson.dumps(job) + b"\n")
        stood = 0
        while not stood:
            await asyncio.sleep(0.05)
            stood = await _positions(resources, plan.generations[0].id)
        process.kill()
        await process.communicate()
        assert 0 < await _positions(resources, plan.generations[0].id) < sum(plan.targets.values())
        await holder.execute("SELECT pg_advisory_unlock(2)")

    await resources.pool.execute(f'DROP TRIGGER waiting ON "{plan.generations[0].schema}".messages')
    again = await plan_rebuild(resources, ["conversations"])
    assert [g.id for g in again.generations] == [g.id for g in plan.generations]
    await run_rebuild(resources, again)
    before = await hash_live(resources)
    await switch(resources, "conversations")
    assert await hash_live(resources) == before


async def _positions(resources: Resources, generation: int) -> int:
    return await resources.pool.fetchval(
        "SELECT sum(position)::int FROM liminal.checkpoints WHERE generation_id = $1", generation
    )


async def test_a_type_that_nobody_knows_stops_a_rebuild_and_names_its_position(
    log: Log, resources: Resources, worker: Worker
) -> None:
    ada, conversation = Person(), new_id()
    await log.append(*ada.say(conversation, "before"))
    unknown = await append_unknown(resources, ada, f"conversation-{conversation}")
    await log.wait_for(await log.append(*ada.say(conversation, "after")))
    plan = await plan_rebuild(resources, ["conversations"])
    with pytest.raises(RebuildStopped) as stopped:
        await run_rebuild(resources, plan)
    assert stopped.value.details["position"] == str(unknown)
    rows = await resources.pool.fetch(f'SELECT content FROM "{plan.generations[0].schema}".messages')
    assert [row["content"] for row in rows] == ["before"]
    # models that do not fold conversations are not stopped by it
    await run_rebuild(resources, await plan_rebuild(resources, ["accounts", "log"]))
    await run_rebuild(resources, await plan_rebuild(resources, ["conversations"]), park=True)
    assert {item.state for item in await parked_streams(resources.pool)} == {"live", "ready"}


async def test_a_changed_definition_is_rebuilt_beside_the_live_one_which_stays_as_it_is(
    log: Log, resources: Resources
) -> None:
    await talk(log)
    await fold_everything(resources)
    old = resources.definitions["log"]
    new = replace(
        old,
        version=2,
        views=old.views.replace("sum(events)", "2 * sum(events)"),
    )
    changed = replace(resources, definitions={**resources.definitions, "log": new})
    await run_rebuild(changed, await plan_rebuild(changed, ["log"]))
    assert await log.pool.fetchval("SELECT sum(events) FROM read.log_counts") == 88
    await switch(changed, "log", 2)
    assert await log.pool.fetchval("SELECT sum(events) FROM read.log_counts") == 176
    await rollback(changed, "log")
    assert await log.pool.fetchval("SELECT sum(events) FROM read.log_counts") == 88


async def test_a_projection_is_rebuilt_once_at_a_time(log: Log, resources: Resources) -> None:
    plan = await plan_rebuild(resources, ["log"])
    async with resources.pool.acquire() as connection:
        await connection.execute("SELECT pg_advisory_lock($1, $2)", 0x72656275, plan.id)
        with pytest.raises(RebuildRunning):
            await plan_rebuild(resources, ["log", "turns"])


async def test_the_read_models_as_they_stood_are_folded_aside_and_dropped(
    log: Log, resources: Resources
) -> None:
    await talk(log, people=1)
    await fold_everything(resources)
    ends = await end_offsets(resources.settings, range(resources.settings.partitions))
    [partition] = [p for p, end in ends.items() if end]
    await fold_until(resources, {partition: 4}, "back_then", ["conversations"])
    assert await log.pool.fetchval("SELECT count(*) FROM back_then.messages") == 3
    assert await log.pool.fetchval("SELECT message_count FROM back_then.conversations") == 3
    assert await log.pool.fetchval("SELECT count(*) FROM read.messages") == 10
    assert await drop_scratch(resources, "back_then")
    assert not await drop_scratch(resources, "back_then")
    assert await log.pool.fetchval("SELECT to_regnamespace('back_then') IS NULL")
    assert not await drop_scratch(resources, "conversations_v1")


async def test_verify_finds_a_row_that_the_log_did_not_make(log: Log, resources: Resources) -> None:
    await talk(log)
    await fold_everything(resources)
    assert all(result.equal for result in await verify(resources))
    await log.pool.execute(
        "UPDATE conversations_v1.messages SET content = 'forged' WHERE content = 'words 3'"
    )
    by_name = {result.projection: result for result in await verify(resources)}
    assert not by_name["conversations"].equal
    assert by_name["conversations"].differing == ["messages"]
    assert by_name["turns"].equal
