"""The loop on a real broker and a real Postgres."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from tests.projector.conftest import fold_everything, working
from tests.projector.people import Person

from liminal.log.errors import VersionConflict
from liminal.log.events import TurnRouted
from liminal.log.ids import new_id
from liminal.log.log import Log
from liminal.log.position import Position
from liminal.projector.batch import Group
from liminal.projector.errors import Fenced
from liminal.projector.fold import Folder, read_standings
from liminal.projector.generation import generations
from liminal.projector.reader import read_batches
from liminal.projector.resources import Resources
from liminal.projector.session import Session
from liminal.projector.verify import hash_live, verify
from liminal.projector.worker import Worker


async def test_what_is_appended_is_visible_once_it_was_waited_for(log: Log, worker: Worker) -> None:
    ada, conversation = Person(), new_id()
    await log.append(*ada.begin(conversation, "first words"))
    position = await log.append(*ada.say(conversation, "good morning"))
    await log.wait_for(position)
    row = await log.pool.fetchrow(
        "SELECT c.title, c.message_count, m.content, m.owner_id FROM read.conversations c "
        "JOIN read.messages m USING (conversation_id) WHERE conversation_id = $1",
        conversation,
    )
    assert row is not None
    assert tuple(row) == ("first words", 1, "good morning", ada.id)


async def test_of_64_writers_one_wins_each_version_and_a_replay_judges_alike(
    log: Log, resources: Resources, worker: Worker
) -> None:
    ada, turn = Person(), new_id()
    won: list[int] = []

    async def write_until_accepted() -> None:
        expected = 0
        while True:
            event, meta = ada.route(new_id(), turn)
            try:
                await log.append(event, meta, expected_version=expected)
            except VersionConflict as conflict:
                # several may find the same version; whoever is first on the log takes it
                expected = conflict.details["actual"]
            else:
                won.append(expected + 1)
                return

    async with asyncio.TaskGroup() as writers:
        for _ in range(64):
            writers.create_task(write_until_accepted())
    assert sorted(won) == list(range(1, 65))
    versions = await log.pool.fetch(
        'SELECT version FROM read.verdicts WHERE accepted ORDER BY partition, "offset"'
    )
    assert [row["version"] for row in versions] == list(range(1, 65))
    assert await log.pool.fetchval("SELECT version FROM read.streams WHERE stream = $1", f"turn-{turn}") == 64
    assert all(result.equal for result in await verify(resources))


async def test_a_rejected_event_changes_no_row(log: Log, worker: Worker) -> None:
    ada, turn = Person(), new_id()
    event, meta = ada.route(new_id(), turn)
    await log.append(event, meta, expected_version=0)
    late = TurnRouted.model_validate({**event.model_dump(), "model": "another"})
    with pytest.raises(VersionConflict) as conflict:
        await log.append(late, ada.meta(meta.stream), expected_version=0)
    assert conflict.value.details["actual"] == 1
    assert await log.pool.fetchval("SELECT model FROM turns_v1._routes WHERE turn_id = $1", turn) == "tiny"


async def test_a_worker_that_was_thought_dead_is_fenced(log: Log, resources: Resources) -> None:
    ada, conversation = Person(), new_id()
    position = await log.append(*ada.begin(conversation))
    async with resources.pool.acquire() as connection:
        living = await generations(connection, states=["live"])
        zombie_standings = await read_standings(connection, living, position.partition)
    batches = [
        batch
        async for batch in read_batches(
            resources.settings,
            resources.decoder,
            Group(living).reading,
            position.partition,
            0,
            position.offset + 1,
        )
    ]
    await fold_everything(resources)
    before = await hash_live(resources)
    async with Session(resources.settings) as session:
        zombie = Folder(session, live=True, strict=False)
        with pytest.raises(Fenced):
            await zombie.fold(zombie_standings, batches[0])
    assert await hash_live(resources) == before


async def test_two_workers_share_the_partitions_and_fold_everything_once(
    log: Log, resources: Resources
) -> None:
    people = [(Person(), new_id()) for _ in range(12)]
    async with working(resources, batch_size=7) as first:
        for _ in range(5):
            await log.append_many([ada.say(conversation, "one") for ada, conversation in people])
        async with working(resources, batch_size=5) as second:
            while [len(first.partitions), len(second.partitions)] != [2, 2]:  # noqa: ASYNC110  nothing wakes us
                await asyncio.sleep(0.05)
            for _ in range(20):
                positions = await log.append_many([ada.say(c, "two") for ada, c in people])
            await _reached(log, positions)
        for _ in range(5):
            positions = await log.append_many([ada.say(c, "three") for ada, c in people])
        await _reached(log, positions)
    assert first.tally.events + second.tally.events == 12 * 30
    assert second.tally.events > 0
    assert await _counts(log, [conversation for _, conversation in people]) == [30] * 12


async def _reached(log: Log, positions: list[Position]) -> None:
    for position in positions:
        await log.wait_for(position)


async def _counts(log: Log, conversations: list[UUID]) -> list[int]:
    rows = await log.pool.fetch(
        "SELECT count(*) AS messages FROM read.messages WHERE conversation_id = ANY($1) "
        "GROUP BY conversation_id",
        conversations,
    )
    return [row["messages"] for row in rows]


async def test_an_event_that_was_appended_twice_counts_once(log: Log, worker: Worker) -> None:
    ada, conversation, message = Person(), new_id(), new_id()
    await log.append(*ada.say(conversation, "hello", message=message))
    position = await log.append(*ada.say(conversation, "hello", message=message))
    await log.wait_for(position)
    assert await _counts(log, [conversation]) == [1]
    assert await log.pool.fetchval("SELECT message_count FROM conversations_v1.conversations") == 1


async def test_a_nul_in_a_message_does_not_stop_its_conversation(log: Log, worker: Worker) -> None:
    ada, conversation = Person(), new_id()
    position = await log.append(*ada.say(conversation, "a\0b \\u0000"))
    await log.wait_for(position)
    assert await log.pool.fetchval("SELECT content FROM read.messages") == "a\ufffdb \\u0000"
