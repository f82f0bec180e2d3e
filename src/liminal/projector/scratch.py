"""Folding the log aside: into a schema of its own, up to given positions, without touching what lives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from liminal.projector.catchup import fold_range
from liminal.projector.definition import NAME, VERDICT, Definition, choose
from liminal.projector.errors import ProjectorError, SchemaTaken
from liminal.projector.fold import Folder
from liminal.projector.generation import (
    Generation,
    build_indexes,
    create_generation,
    drop_generation,
    generations,
    quoted,
    show,
)
from liminal.projector.resources import LOCK, Resources
from liminal.projector.session import Session, connect

OnProgress = Callable[[int, int], None]
"""Told how many events are folded, and how many there are."""

ROWS = "_rows"
"""What the name of a schema ends in that holds the tables behind another one's views."""


async def fold_until(
    resources: Resources,
    positions: Mapping[int, int],
    schema: str,
    names: Sequence[str] | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> list[Generation]:
    """The read models as they stood before ``positions`` (partition → offset), in a schema of their own.

    The schema holds the same views that ``read`` has; the tables behind them are in ``<schema>_rows``. What
    can't be folded is parked, as it is live. An interrupted call leaves nothing behind.

    Raises SchemaTaken when the schema exists, UnknownProjection, and BrokerUnavailable.
    """
    if not NAME.fullmatch(schema):
        raise ProjectorError(f"{schema!r} can't name a schema: use small letters, digits and _, 40 at most")
    definitions = choose(resources.definitions, names)
    made = await fold_aside(resources, definitions, positions, schema + ROWS, on_progress=on_progress)
    connection = await connect(resources.settings)
    try:
        async with connection.transaction():
            if await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", quoted(schema)):
                raise SchemaTaken(f"there is a schema {schema} already; drop it first", schema=schema)
            await connection.execute(f"CREATE SCHEMA {quoted(schema)}")
            for generation in made:
                await build_indexes(connection, generation)
            await show(connection, made, schema)
    except BaseException:
        await drop_scratch(resources, schema)
        raise
    finally:
        await connection.close()
    return made


async def drop_scratch(resources: Resources, schema: str) -> bool:
    """Drop what ``fold_until`` made; False when there is nothing of that name that it made."""
    async with resources.pool.acquire() as connection, connection.transaction():
        await connection.execute(LOCK)
        found = [
            generation
            for generation in await generations(connection, states=["scratch"])
            if generation.schema in (schema, schema + ROWS)
        ]
        if found:
            await connection.execute(f"DROP SCHEMA IF EXISTS {quoted(schema)} CASCADE")
        for generation in found:
            await drop_generation(connection, generation)
        return bool(found)


async def fold_aside(
    resources: Resources,
    definitions: Sequence[Definition],
    positions: Mapping[int, int],
    schema: str,
    *,
    side_by_side: bool = True,
    on_progress: OnProgress | None = None,
) -> list[Generation]:
    """Fold these definitions up to ``positions`` into one new scratch schema, without views and indexes.

    A projection that judges is always among them, so that nothing rests on earlier verdicts. The partitions
    are folded side by side, or one after the other. Raises SchemaTaken.
    """
    chosen = {d.name: d for d in definitions}
    if not any(VERDICT in d.folds for d in definitions):
        chosen.update({d.name: d for d in resources.definitions.values() if VERDICT in d.folds})
    connection = await connect(resources.settings)
    try:
        async with connection.transaction():
            await connection.execute(LOCK)
            if await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", quoted(schema)):
                raise SchemaTaken(f"there is a schema {schema} already; drop it first", schema=schema)
            made = [
                await create_generation(
                    connection,
                    definition,
                    schema=schema,
                    state="scratch",
                    partitions=resources.settings.partitions,
                    with_indexes=False,
                )
                for definition in chosen.values()
            ]
    finally:
        await connection.close()
    try:
        await _fold(resources, made, positions, side_by_side, on_progress)
    except BaseException:
        await drop_scratch(resources, schema)
        raise
    return made


async def _fold(
    resources: Resources,
    made: Sequence[Generation],
    positions: Mapping[int, int],
    side_by_side: bool,
    on_progress: OnProgress | None,
) -> None:
    turns = asyncio.Semaphore(len(positions) if side_by_side else 1)

    async def fold(partition: int, stop: int) -> None:
        async with turns, Session(resources.settings) as session:
            folder = Folder(session, live=False, strict=False)
            await fold_range(resources, session, folder, made, partition, stop)

    async with asyncio.TaskGroup() as group:
        folding = [group.create_task(fold(partition, stop)) for partition, stop in positions.items() if stop]
        if on_progress is not None:
            group.create_task(_report(resources, made, positions, folding, on_progress))


async def _report(
    resources: Resources,
    made: Sequence[Generation],
    positions: Mapping[int, int],
    folding: Sequence[asyncio.Task[None]],
    on_progress: OnProgress,
) -> None:
    total = sum(positions.values())
    while not all(task.done() for task in folding):
        on_progress(await folded(resources, made), total)
        await asyncio.sleep(0.2)
    on_progress(total, total)


async def folded(resources: Resources, generations: Sequence[Generation]) -> int:
    """How far the generation is that is furthest behind, summed over partitions."""
    return await resources.pool.fetchval(
        "SELECT coalesce(sum(position), 0)::bigint FROM (SELECT min(position) AS position "
        "FROM liminal.checkpoints WHERE generation_id = ANY($1) GROUP BY partition) AS behind",
        [generation.id for generation in generations],
    )
