"""For every folder of projections/: how events are batched and partitions interleave leaves no trace."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Sequence
from itertools import groupby
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tests.projections.generated import (
    OWNERS,
    PARTITIONS,
    Draw,
    an_erasure,
    as_read,
    placed,
    sequences,
    without_personal,
)

from liminal.log.decode import Flat
from liminal.projector.batch import Batch
from liminal.projector.definition import Definition, load_definitions
from liminal.projector.fold import Folder, read_standings
from liminal.projector.generation import Generation, create_generation
from liminal.projector.hashing import hash_tables
from liminal.projector.session import Raw, Session, install
from liminal.settings import Settings
from liminal.storage.migrate import migrate
from liminal.storage.postgres import connect_pool

DEFINITIONS = load_definitions()
ERASURE = "erasure.completed"
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


class Table:
    """One read model in a database of its own, folded again and again in transactions that roll back."""

    def __init__(self, session: Session, generations: Sequence[Generation]) -> None:
        self._session = session
        self._generations = generations
        self._folder = Folder(session, live=False, strict=True)

    async def fold(self, batches: Sequence[Sequence[Flat]]) -> dict[str, tuple[str, int]]:
        """The hash of every table after these batches, each of one partition."""
        connection = await self._session.connection()
        transaction = connection.transaction()
        await transaction.start()
        try:
            for events in batches:
                await self._fold(connection, events)
            return await hash_tables(connection, self._generations[0].schema)
        finally:
            await transaction.rollback()

    async def _fold(self, connection: Raw, events: Sequence[Flat]) -> None:
        partition, end = events[0]["_partition"], max(event["_offset"] for event in events) + 1
        standings = await read_standings(connection, self._generations, partition)
        records = [SimpleNamespace(offset=event["_offset"], timestamp=0) for event in events]
        batch = Batch(partition, standings[0].position, end, records, [as_read(event) for event in events])
        await self._folder.fold(standings, batch)


async def _table(session: Session, url_settings: Settings, definition: Definition) -> Table:
    pool = await connect_pool(url_settings)
    await migrate(pool)
    await pool.close()
    connection = await session.connection()
    await install(connection)
    # every schema has who judges, as a scratch fold has
    chosen = {definition.name: definition, "verdicts": DEFINITIONS["verdicts"]}.values()
    async with connection.transaction():
        made = [
            await create_generation(
                connection, d, schema="tried", state="scratch", partitions=PARTITIONS, with_indexes=True
            )
            for d in chosen
        ]
    return Table(session, made)


def one_by_one(events: Sequence[Flat]) -> list[list[Flat]]:
    """Every event alone, one partition after the other."""
    return [[event] for event in sorted(events, key=lambda event: (event["_partition"], event["_offset"]))]


def shuffled(events: Sequence[Flat], barriers: Collection[str], seed: int) -> list[list[Flat]]:
    """Batches of any size, their types in any order, the partitions interleaved in any way."""
    dice = random.Random(seed)
    queues = [[e for e in events if e["_partition"] == partition] for partition in range(PARTITIONS)]
    batches: list[list[Flat]] = []
    while any(queues):
        queue = dice.choice([queue for queue in queues if queue])
        size = dice.choice([dice.randint(1, len(queue)), len(queue)])
        batches.append(_types_mixed(queue[:size], barriers, dice))
        del queue[:size]
    return batches


def _types_mixed(events: Sequence[Flat], barriers: Collection[str], dice: random.Random) -> list[Flat]:
    mixed: list[Flat] = []
    for _, run in groupby(events, lambda event: event["_type"] in barriers):
        rank = {event["_type"]: dice.random() for event in events}
        mixed.extend(sorted(run, key=lambda event, rank=rank: rank[event["_type"]]))
    return mixed


@pytest.mark.parametrize("name", DEFINITIONS)
def test_rows_do_not_depend_on_batches_or_interleaving(name: str, settings: Settings) -> None:
    definition = DEFINITIONS[name]
    with asyncio.Runner() as runner:
        session = Session(settings)
        table = runner.run(_table(session, settings, definition))

        @examples(max_examples=50, deadline=None, suppress_health_check=QUIET)
        @given(events=sequences(definition), seed=st.integers(0, 2**32))
        def same(events: list[Flat], seed: int) -> None:
            expected = runner.run(table.fold(one_by_one(events)))
            for further in range(2):
                batches = shuffled(events, definition.barriers, seed + further)
                assert runner.run(table.fold(batches)) == expected

        same()
        runner.run(session.close())


WITH_ERASURE = [name for name, definition in DEFINITIONS.items() if ERASURE in definition.folds]


@pytest.mark.parametrize("name", WITH_ERASURE)
def test_an_erasure_leaves_what_a_fold_without_the_key_leaves(name: str, settings: Settings) -> None:
    definition = DEFINITIONS[name]
    with asyncio.Runner() as runner:
        session = Session(settings)
        table = runner.run(_table(session, settings, definition))

        @examples(max_examples=15, deadline=None, suppress_health_check=QUIET)
        @given(events=sequences(definition), seed=st.integers(0, 2**32))
        def same(events: list[Flat], seed: int) -> None:
            dice = random.Random(seed)
            erasures = [an_erasure(Draw(dice, owner)) for owner in OWNERS]
            everything = placed([*events, *erasures], dice)
            bare = [without_personal(event) for event in everything]
            after = runner.run(table.fold(shuffled(everything, definition.barriers, seed)))
            assert after == runner.run(table.fold(one_by_one(bare)))

        same()
        runner.run(session.close())
