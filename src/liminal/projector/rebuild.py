"""Rebuilds: filling the next generation beside the live one, from the beginning of the log.

The work is shared out over processes by partition; every partition resumes where its checkpoint stands. What
a rebuild does not know stops it: a generation is ready only when everything before its targets is folded.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg
import orjson

from liminal.errors import LiminalError
from liminal.projector.catchup import fold_range
from liminal.projector.definition import Definition, choose
from liminal.projector.errors import ProjectorError, RebuildRunning, RebuildStopped
from liminal.projector.fold import Folder
from liminal.projector.generation import (
    Generation,
    build_indexes,
    create_generation,
    drop_generation,
    free_schema,
    generations,
)
from liminal.projector.reader import end_offsets
from liminal.projector.resources import LOCK, Resources
from liminal.projector.scratch import folded
from liminal.projector.session import Raw, Session, connect
from liminal.settings import Settings

SPACE = 0x72656275
"""First half of the advisory locks that running rebuilds hold; the second is the rebuild's id."""
FEW = 50_000
"""Up to so many events a rebuild is done sooner by one process than others have started."""
POLL = 0.25
"""Seconds between looks at how far a rebuild is."""

JUDGED = """
SELECT c.partition, max(c.position) AS position FROM liminal.checkpoints c
JOIN liminal.generations g ON g.id = c.generation_id
WHERE g.folds ? '_verdict' AND g.state = 'live' GROUP BY c.partition
"""
BEHIND = """
SELECT partition, min(position) AS position FROM liminal.checkpoints
WHERE generation_id = ANY($1) GROUP BY partition
"""
# whoever runs a rebuild holds its lock; one without is as good as failed, though nobody could write that down
PROGRESS = """
WITH held AS (
    SELECT EXISTS (
        SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = $2::int AND objid = $1::int
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) OR now() - started_at < make_interval(secs => $3) AS held FROM liminal.rebuilds WHERE id = $1
)
SELECT
    id, projections, generation_ids, origins, targets, phase,
    CASE WHEN state = 'running' AND NOT held THEN 'failed' ELSE state END AS state,
    CASE WHEN state = 'running' AND NOT held
        THEN '{"code": "interrupted", "message": "the rebuild was interrupted; begin it again to go on"}'
        ELSE error END AS error,
    extract(epoch FROM coalesce(finished_at, now()) - started_at)::float8 AS seconds
FROM liminal.rebuilds, held WHERE id = $1
"""
GRACE = 10.0
"""Seconds that the process of a rebuild may take to begin."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rebuild is.

    Attributes:
        id: of the rebuild.
        state: running, done or failed.
        phase: fold, index or done.
        projections: what is rebuilt.
        done: offsets folded, over all partitions.
        total: offsets to fold.
        rate: events a second since it began or was resumed.
        error: why it stopped.
    """

    id: int
    state: str
    phase: str
    projections: list[str]
    done: int
    total: int
    rate: float
    error: dict[str, Any] | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """A rebuild that was written down and can be run: by whom, is shown by an advisory lock on its id."""

    id: int
    generations: list[Generation]
    targets: dict[int, int]


async def plan_rebuild(resources: Resources, names: Sequence[str] | None = None) -> Plan:
    """Make the next generation of each projection, or take up the one that was left unfinished.

    One that was made from another definition, or is ready, is dropped and begun anew.
    Raises UnknownProjection, RebuildRunning, and BrokerUnavailable.
    """
    definitions = choose(resources.definitions, names)
    partitions = range(resources.settings.partitions)
    ends = await end_offsets(resources.settings, partitions)
    connection = await connect(resources.settings)
    try:
        async with connection.transaction():
            await connection.execute(LOCK)
            await _refuse_if_running(connection, [d.name for d in definitions])
            chosen = [
                await _next_generation(connection, definition, resources.settings.partitions)
                for definition in definitions
            ]
            if not any(generation.judges for generation in chosen):
                # verdicts are read, not made, so it can't get ahead of who makes them
                judged = {r["partition"]: r["position"] for r in await connection.fetch(JUDGED)}
                ends = {partition: min(end, judged.get(partition, 0)) for partition, end in ends.items()}
            return await _write_plan(connection, chosen, ends)
    finally:
        await connection.close()


async def _next_generation(connection: Raw, definition: Definition, partitions: int) -> Generation:
    for generation in await generations(connection, states=["building", "ready"], names=[definition.name]):
        if generation.state == "building" and generation.digest == definition.digest:
            return generation
        await drop_generation(connection, generation)
    return await create_generation(
        connection,
        definition,
        schema=await free_schema(connection, definition),
        state="building",
        partitions=partitions,
        with_indexes=False,
    )


async def _refuse_if_running(connection: Raw, names: Sequence[str]) -> None:
    rows = await connection.fetch(
        "SELECT id, projections FROM liminal.rebuilds WHERE state = 'running' AND projections && $1::text[]",
        list(names),
    )
    for row in rows:
        if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1, $2)", SPACE, row["id"]):
            both = ", ".join(sorted(set(row["projections"]) & set(names)))
            raise RebuildRunning(f"{both}: a rebuild is running already", projections=row["projections"])
        await connection.execute(
            "UPDATE liminal.rebuilds SET state = 'failed', finished_at = now(), error = $2::text::jsonb "
            "WHERE id = $1",
            row["id"],
            orjson.dumps({"code": "interrupted", "message": "the rebuild was interrupted"}).decode(),
        )


async def _write_plan(connection: Raw, chosen: list[Generation], targets: dict[int, int]) -> Plan:
    ids = [generation.id for generation in chosen]
    origins = {row["partition"]: row["position"] for row in await connection.fetch(BEHIND, ids)}
    number = await connection.fetchval(
        "INSERT INTO liminal.rebuilds (projections, generation_ids, origins, targets, state) "
        "VALUES ($1, $2, $3::text::jsonb, $4::text::jsonb, 'running') RETURNING id",
        [generation.projection for generation in chosen],
        ids,
        _numbers(origins),
        _numbers(targets),
    )
    return Plan(number, chosen, targets)


async def read_plan(resources: Resources, rebuild: int) -> Plan:
    """The plan that another process wrote down."""
    row = await resources.pool.fetchrow(
        "SELECT generation_ids, targets FROM liminal.rebuilds WHERE id = $1", rebuild
    )
    assert row is not None
    targets = {int(partition): target for partition, target in orjson.loads(row["targets"]).items()}
    return Plan(rebuild, await _by_ids(resources, row["generation_ids"]), targets)


def _numbers(by_partition: Mapping[int, int]) -> str:
    return orjson.dumps({str(partition): offset for partition, offset in by_partition.items()}).decode()


async def run_rebuild(
    resources: Resources,
    plan: Plan,
    *,
    workers: int | None = None,
    park: bool = False,
    on_progress: OnProgress | None = None,
) -> None:
    """Fold up to the plan's targets, build the indexes, and leave the generations ready to be switched to.

    Args:
        workers: processes to share the partitions; by default one a core, or none but this for few events.
        park: park the streams of what can't be folded, as the projector does, instead of stopping.
        on_progress: told four times a second.

    Raises RebuildStopped where it met what it can't fold; run again, it resumes there.
    """
    lock = await connect(resources.settings)
    try:
        if not await lock.fetchval("SELECT pg_try_advisory_lock($1, $2)", SPACE, plan.id):
            raise RebuildRunning("this rebuild is running already", id=plan.id)
        reporting = asyncio.create_task(_report(resources, plan.id, on_progress))
        try:
            await _fold(resources, plan, workers, park)
            await _finish(lock, plan)
        except LiminalError as error:
            text = orjson.dumps({"code": error.code, "message": error.message, **error.details}).decode()
            await _set(lock, plan.id, "state = 'failed', finished_at = now(), error = $2::text::jsonb", text)
            raise
        finally:
            reporting.cancel()
            await asyncio.gather(reporting, return_exceptions=True)
        if on_progress is not None:
            on_progress(await read_progress(resources, plan.id))
    finally:
        await lock.close()


async def _finish(connection: Raw, plan: Plan) -> None:
    await _set(connection, plan.id, "phase = 'index'")
    for generation in plan.generations:
        async with connection.transaction():
            await build_indexes(connection, generation)
            await connection.execute(
                "UPDATE liminal.generations SET state = 'ready' WHERE id = $1", generation.id
            )
    await _set(connection, plan.id, "phase = 'done', state = 'done', finished_at = now()")


async def _set(connection: Raw, rebuild: int, changes: str, *values: str) -> None:
    await connection.execute(f"UPDATE liminal.rebuilds SET {changes} WHERE id = $1", rebuild, *values)


async def _fold(resources: Resources, plan: Plan, workers: int | None, park: bool) -> None:
    rows = await resources.pool.fetch(BEHIND, [generation.id for generation in plan.generations])
    left = {row["partition"]: plan.targets[row["partition"]] - row["position"] for row in rows}
    wanted = workers or (1 if sum(left.values()) <= FEW else os.cpu_count() or 1)
    shares = _shares({p: n for p, n in left.items() if n > 0}, wanted)
    if len(shares) <= 1:
        await fold_partitions(resources, plan.generations, plan.targets, park=park)
        return
    async with asyncio.TaskGroup() as group:
        for share in shares:
            targets = {partition: plan.targets[partition] for partition in share}
            group.create_task(_in_process(resources, plan.generations, targets, park))


def _shares(left: Mapping[int, int], workers: int) -> list[list[int]]:
    """Partitions by worker, the most work first to whoever has the least."""
    shares: list[list[int]] = [[] for _ in range(min(workers, len(left)))]
    loads = [0] * len(shares)
    for partition in sorted(left, key=lambda p: -left[p]):
        least = loads.index(min(loads))
        shares[least].append(partition)
        loads[least] += left[partition]
    return shares


async def fold_partitions(
    resources: Resources, chosen: Sequence[Generation], targets: Mapping[int, int], *, park: bool
) -> None:
    """Fold these partitions side by side, a connection each. Raises RebuildStopped unless ``park``."""

    async def one(partition: int, target: int) -> None:
        async with Session(resources.settings) as session:
            folder = Folder(session, live=False, strict=not park)
            await fold_range(resources, session, folder, chosen, partition, target)

    try:
        async with asyncio.TaskGroup() as group:
            for partition, target in targets.items():
                group.create_task(one(partition, target))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors


async def _in_process(
    resources: Resources, chosen: Sequence[Generation], targets: Mapping[int, int], park: bool
) -> None:
    job = {
        "settings": plain_settings(resources.settings),
        "generations": [generation.id for generation in chosen],
        "targets": {str(partition): target for partition, target in targets.items()},
        "park": park,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "liminal.projector.rebuilder",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    async with AsyncExitStack() as stack:
        stack.callback(lambda: process.kill() if process.returncode is None else None)
        assert process.stdin is not None
        assert process.stdout is not None
        # the pipe stays open: the worker ends when it closes, so it never outlives us
        process.stdin.write(orjson.dumps(job) + b"\n")
        await process.stdin.drain()
        said = await process.stdout.read()
        status = await process.wait()
    if status:
        raise _told(said, status)


def _told(said: bytes, status: int) -> ProjectorError:
    lines = said.strip().splitlines()
    if not lines:
        return ProjectorError(f"a process of the rebuild ended with status {status}")
    error = orjson.loads(lines[-1])
    kind = RebuildStopped if error.pop("code") == RebuildStopped.code else ProjectorError
    return kind(error.pop("message"), **error)


def plain_settings(settings: Settings) -> dict[str, Any]:
    """The settings as JSON for another process of ours, secrets in the clear: pass it through a pipe only."""
    plain = settings.model_dump(mode="json")
    plain["master_key"] = settings.master_key.get_secret_value()
    return plain


async def read_progress(resources: Resources, rebuild: int) -> Progress:
    """How far a rebuild is, whoever runs it."""
    row = await resources.pool.fetchrow(PROGRESS, rebuild, SPACE, GRACE)
    assert row is not None
    total = sum(orjson.loads(row["targets"]).values())
    origin = sum(orjson.loads(row["origins"]).values())
    chosen = await _by_ids(resources, row["generation_ids"])
    done = total if row["state"] == "done" else min(total, await folded(resources, chosen))
    error = row["error"] and orjson.loads(row["error"])
    return Progress(
        id=row["id"],
        state=row["state"],
        phase=row["phase"],
        projections=list(row["projections"]),
        done=done,
        total=total,
        rate=(done - origin) / row["seconds"] if row["seconds"] else 0.0,
        error=error,
    )


async def _by_ids(resources: Resources, ids: Sequence[int]) -> list[Generation]:
    async with resources.pool.acquire() as connection:
        return [g for g in await generations(connection) if g.id in set(ids)]


async def _report(resources: Resources, rebuild: int, on_progress: OnProgress | None) -> None:
    if on_progress is None:
        return
    while True:
        with contextlib.suppress(asyncpg.PostgresError, OSError):  # shown again in a moment
            on_progress(await read_progress(resources, rebuild))
        await asyncio.sleep(POLL)
