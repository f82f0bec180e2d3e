"""What is parked does not depend on batches either."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any, TypeVar

import asyncpg
from tests.projections.generated import PARTITIONS, as_read, sequence
from tests.projections.test_any_order import DEFINITIONS, one_by_one

from liminal.log.decode import Flat
from liminal.projector.batch import Batch
from liminal.projector.errors import Fenced
from liminal.projector.fold import Folder, read_standings
from liminal.projector.generation import Generation, create_generation
from liminal.projector.hashing import hash_tables
from liminal.projector.session import Raw, Session, install, is_fence
from liminal.settings import Settings
from liminal.storage.migrate import migrate
from liminal.storage.postgres import connect_pool

Result = TypeVar("Result")
POISON = "ALTER TABLE tried.messages ADD CHECK (content <> 'Ada'), ADD CHECK (role <> 'tool')"
KINDS = ["message.posted", "conversation.created", "conversation.renamed", "erasure.completed"]
PARKED = "SELECT log_offset, stream, error IS NOT NULL FROM liminal.parked ORDER BY partition, log_offset"


class Within(Session):
    """A session inside a transaction that will be rolled back: a failure undoes its own statement only."""

    async def attempt(self, work: Callable[[Raw], Awaitable[Result]]) -> Result:
        connection = await self.connection()
        try:
            async with connection.transaction():
                return await work(connection)
        except asyncpg.PostgresError as error:
            if is_fence(error):
                raise Fenced(str(error)) from error
            raise


async def _prepare(session: Session, settings: Settings) -> list[Generation]:
    pool = await connect_pool(settings)
    await migrate(pool)
    await pool.close()
    connection = await session.connection()
    await install(connection)
    async with connection.transaction():
        made = [
            await create_generation(
                connection,
                DEFINITIONS[name],
                schema="tried",
                state="scratch",
                partitions=PARTITIONS,
                with_indexes=True,
            )
            for name in ("conversations", "verdicts")
        ]
    await connection.execute(POISON)
    return made


async def _fold(session: Session, made: list[Generation], batches: Sequence[Sequence[Flat]]) -> Any:
    connection = await session.connection()
    transaction = connection.transaction()
    await transaction.start()
    try:
        folder = Folder(session, live=False, strict=False)
        for events in batches:
            partition = events[0]["_partition"]
            standings = await read_standings(connection, made, partition)
            records = [
                SimpleNamespace(
                    partition=partition, offset=e["_offset"], timestamp=0, key=b"", value=b"", headers=[]
                )
                for e in events
            ]
            end = events[-1]["_offset"] + 1
            batch = Batch(partition, standings[0].position, end, records, [as_read(e) for e in events])
            await folder.fold(standings, batch)
        parked = [tuple(row) for row in await connection.fetch(PARKED)]
        return parked, await hash_tables(connection, "tried")
    finally:
        await transaction.rollback()


def _cut(events: Sequence[Flat], seed: int) -> list[list[Flat]]:
    dice = random.Random(seed)
    batches: list[list[Flat]] = []
    for partition in range(PARTITIONS):
        queue = [event for event in events if event["_partition"] == partition]
        while queue:
            size = dice.randint(1, len(queue))
            batches.append(queue[:size])
            del queue[:size]
    return batches


def test_the_same_events_are_parked_one_by_one_and_in_any_batches(settings: Settings) -> None:
    with asyncio.Runner() as runner:
        session = Within(settings)
        made = runner.run(_prepare(session, settings))
        most = 0
        for seed in range(25):
            events = sequence([KINDS], 24, seed)
            expected = runner.run(_fold(session, made, one_by_one(events)))
            assert runner.run(_fold(session, made, _cut(events, seed))) == expected
            most = max(most, len(expected[0]))
        runner.run(session.close())
    assert most > 5
