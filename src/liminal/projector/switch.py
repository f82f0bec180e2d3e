"""Switching what ``read`` shows: to a rebuilt generation, or back to the one before.

Both happen in one transaction. A reader waits for it or does not notice; it never fails, because the lock on
the views is asked for with a short patience and given up while readers hold them.
"""

from __future__ import annotations

import asyncio
import random

import asyncpg
import structlog

from liminal.projector.catchup import fold_range
from liminal.projector.errors import NoGeneration, SwitchBlocked
from liminal.projector.fold import Folder
from liminal.projector.generation import (
    Generation,
    drop_generation,
    generation_in,
    generations,
    lead_views_to,
)
from liminal.projector.resources import LOCK, NOTIFY, Resources
from liminal.projector.session import Raw, Session, connect

log = structlog.get_logger(__name__)

PATIENCE = "150ms"
"""How long readers are kept waiting for one attempt; below Postgres's deadlock_timeout of a second."""
ATTEMPTS = 60
CLOSE = 500
"""Events that may be missing when the projector is stopped for the last of them."""
ROUNDS = 50

POSITIONS = "SELECT partition, position FROM liminal.checkpoints WHERE generation_id = $1 ORDER BY partition"


async def switch(resources: Resources, name: str, version: int | None = None) -> Generation:
    """Let ``read`` show the generation that was rebuilt; the one before is kept for ``rollback``.

    It first catches up with the live one, so that no reader sees less than before. Returns what lives now.
    Raises NoGeneration when none is ready, and SwitchBlocked.
    """
    async with resources.pool.acquire() as connection:
        new = await generation_in(connection, name, "ready")
        if version is not None and new.version != version:
            raise NoGeneration(
                f"{name} version {version} is not ready; version {new.version} is", projection=name
            )
    async with Session(resources.settings) as session:
        await _come_close(resources, session, new)
        return await _attempt(resources, new, session)


async def rollback(resources: Resources, name: str) -> Generation:
    """Let ``read`` show the generation before again, at once, as it was when it was switched away from.

    The projector then brings it up to date; until it has, who waits for a position waits, from when that
    process has heard of the switch (a NOTIFY later). Returns what lives now.
    Raises NoGeneration when there is none, and SwitchBlocked.
    """
    async with resources.pool.acquire() as connection:
        old = await generation_in(connection, name, "previous")
    return await _attempt(resources, old, None)


async def _come_close(resources: Resources, session: Session, new: Generation) -> None:
    for _ in range(ROUNDS):
        async with resources.pool.acquire() as connection:
            live = await generation_in(connection, new.projection, "live")
            targets = {r["partition"]: r["position"] for r in await connection.fetch(POSITIONS, live.id)}
        if await _fold_to(resources, session, new, targets) <= CLOSE:
            return


async def _fold_to(resources: Resources, session: Session, new: Generation, targets: dict[int, int]) -> int:
    """Fold the new generation up to these positions; returns how many events that were."""
    connection = await session.connection()
    stood = {row["partition"]: row["position"] for row in await connection.fetch(POSITIONS, new.id)}
    folder = Folder(session, live=False, strict=True)
    missing = {p: target - stood[p] for p, target in targets.items() if target > stood[p]}
    for partition in missing:
        await fold_range(resources, session, folder, [new], partition, targets[partition])
    return sum(missing.values())


async def _attempt(resources: Resources, new: Generation, session: Session | None) -> Generation:
    connection = await connect(resources.settings)
    try:
        for attempt in range(ATTEMPTS):
            try:
                async with connection.transaction():
                    return await _exchange(resources, connection, new, session)
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
                log.debug("projections.switch_waits", attempt=attempt + 1, reason=str(error))
                await asyncio.sleep(random.uniform(0.05, 0.25))
        raise SwitchBlocked(
            f"readers held the views of {new.projection} in each of {ATTEMPTS} attempts; nothing changed",
            projection=new.projection,
        )
    finally:
        await connection.close()


async def _exchange(
    resources: Resources, connection: Raw, new: Generation, session: Session | None
) -> Generation:
    await connection.execute(LOCK)
    await connection.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
    live = await generation_in(connection, new.projection, "live")
    # from here on the projector waits with its next batch, and then finds that it folds for somebody else
    await connection.execute("UPDATE liminal.checkpoints SET live = false WHERE generation_id = $1", live.id)
    if session is not None:
        rows = await connection.fetch(POSITIONS, live.id)
        await _fold_to(resources, session, new, {row["partition"]: row["position"] for row in rows})
    await connection.execute("UPDATE liminal.checkpoints SET live = true WHERE generation_id = $1", new.id)
    await lead_views_to(connection, new, live)
    for previous in await generations(connection, states=["previous"], names=[new.projection]):
        if previous.id != new.id:
            await drop_generation(connection, previous)
    # both states are unique for a projection, so the old one goes through a third
    for state, generation in (("scratch", live), ("live", new), ("previous", live)):
        await connection.execute(
            "UPDATE liminal.generations SET state = $2, switched_at = now() WHERE id = $1",
            generation.id,
            state,
        )
    await connection.execute(NOTIFY, new.id)
    return await generation_in(connection, new.projection, "live")
