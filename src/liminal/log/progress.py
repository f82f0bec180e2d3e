"""Waiting for the projector without asking again and again.

What the projector owes its waiters, in the transaction that moves a live projection's checkpoint:

* ``read.progress(projection text, partition int, "offset" bigint)``: for every live projection and partition,
  the offset before which all is folded;
* ``read.verdicts(event_id uuid, accepted boolean, version bigint, …)``: ``version`` is the stream's version
  after the record was judged;
* ``pg_notify('liminal_progress', progress_payload(projection, partition, offset))``, and with partition -1
  when a projection goes live, is switched, or is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import NamedTuple, Self
from uuid import UUID

import asyncpg
import structlog

from liminal.log.errors import Stale
from liminal.log.position import Position
from liminal.storage.notify import Listener, Subscription
from liminal.storage.postgres import Pool

log = structlog.get_logger(__name__)

CHANNEL = "liminal_progress"
ALL_CHANGED = -1
"""Partition in a payload that says: the set of live projections changed, read it again."""
RETRY = 0.5
"""Seconds between attempts while the read models can't be read, as before the projector's first start."""

PROGRESS = 'SELECT projection, partition, "offset" FROM read.progress'
VERDICTS = "SELECT event_id, accepted, version FROM read.verdicts WHERE event_id = ANY($1::uuid[])"


class Verdict(NamedTuple):
    """What became of a versioned event; ``version`` is the stream's version after it."""

    accepted: bool
    version: int


@dataclass(slots=True, eq=False)
class _Waiter:
    position: Position
    projection: str | None
    woken: asyncio.Future[None]


@dataclass(slots=True, eq=False)
class _Awaited:
    event_id: UUID
    position: Position
    verdict: asyncio.Future[Verdict]


def progress_payload(projection: str, partition: int, offset: int) -> str:
    """What is notified: everything of ``partition`` before ``offset`` is folded into ``projection``."""
    return f"{projection} {partition} {offset}"


class Progress:
    """How far the live projections are, as this process has heard; wakes who waits for more."""

    def __init__(self, pool: Pool, listener: Listener) -> None:
        self._pool = pool
        self._listener = listener
        self._subscription = Subscription(CHANNEL, self._heard, self._gap)
        self._reached: dict[int, dict[str, int]] = {}
        self._heard_while_reading: set[tuple[int, str]] = set()
        self._known = asyncio.Event()
        self._nudged = asyncio.Event()
        self._waiters: dict[int, set[_Waiter]] = {}
        self._awaited: set[_Awaited] = set()
        self._due = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self._listener.subscribe(self._subscription)
        self._tasks = [
            asyncio.create_task(self._keep_known(), name="progress"),
            asyncio.create_task(self._hand_out_verdicts(), name="verdicts"),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.unsubscribe(self._subscription)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def wait_for(self, position: Position, projection: str | None, within: float) -> None:
        """Return once the position is folded into the projection, or into every live one. Raises Stale."""
        try:
            async with asyncio.timeout(within):
                await self._wait(position, projection)
        except TimeoutError:
            where = projection or "some projection"
            raise Stale(
                f"{where} did not reach {position} within {within:g} s",
                position=str(position),
                projection=projection,
            ) from None

    async def verdict(self, event_id: UUID, position: Position, within: float) -> Verdict:
        """What became of the versioned event at this position. Raises Stale."""
        # an event may be awaited twice at once: two tasks that make the same one give it the same id
        awaited = _Awaited(event_id, position, asyncio.get_running_loop().create_future())
        self._awaited.add(awaited)
        self._look_for_due()
        try:
            return await asyncio.wait_for(awaited.verdict, within)
        except TimeoutError:
            raise Stale(
                f"no verdict on {event_id} at {position} within {within:g} s: it is on the log and will be "
                "judged",
                position=str(position),
                event_id=str(event_id),
            ) from None
        finally:
            self._awaited.discard(awaited)

    async def _wait(self, position: Position, projection: str | None) -> None:
        await self._known.wait()
        while not self._is_reached(position, projection):
            waiter = _Waiter(position, projection, asyncio.get_running_loop().create_future())
            waiting = self._waiters.setdefault(position.partition, set())
            waiting.add(waiter)
            try:
                await waiter.woken
            finally:
                waiting.discard(waiter)

    def _is_reached(self, position: Position, projection: str | None) -> bool:
        reached = self._reached.get(position.partition, {})
        if projection is not None:
            return reached.get(projection, 0) > position.offset
        return bool(reached) and min(reached.values()) > position.offset

    def _heard(self, payload: str) -> None:
        projection, partition_text, offset = payload.rsplit(" ", 2)
        partition = int(partition_text)
        if partition == ALL_CHANGED:
            self._gap()
            return
        self._reached.setdefault(partition, {})[projection] = int(offset)
        self._heard_while_reading.add((partition, projection))
        self._wake(partition)
        self._look_for_due()

    def _wake(self, partition: int) -> None:
        for waiter in self._waiters.get(partition, ()):
            if not waiter.woken.done() and self._is_reached(waiter.position, waiter.projection):
                waiter.woken.set_result(None)

    def _gap(self) -> None:
        self._known.clear()
        self._nudged.set()

    async def _keep_known(self) -> None:
        while True:
            self._nudged.clear()
            if self._listener.connected:
                try:
                    await self._read()
                except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                    log.debug("progress.unknown", error=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nudged.wait(), None if self._known.is_set() else RETRY)

    async def _read(self) -> None:
        self._heard_while_reading.clear()
        rows = await self._pool.fetch(PROGRESS)
        known = {(row["partition"], row["projection"]): row["offset"] for row in rows}
        for partition, projection in self._heard_while_reading:  # newer than the rows
            known[partition, projection] = self._reached[partition][projection]
        self._reached = {}
        for (partition, projection), offset in known.items():
            self._reached.setdefault(partition, {})[projection] = offset
        self._known.set()
        for partition in self._reached:
            self._wake(partition)
        self._look_for_due()

    def _judged_maybe(self) -> list[UUID]:
        return [
            awaited.event_id
            for awaited in self._awaited
            if any(
                offset > awaited.position.offset
                for offset in self._reached.get(awaited.position.partition, {}).values()
            )
        ]

    def _look_for_due(self) -> None:
        if self._judged_maybe():
            self._due.set()

    async def _hand_out_verdicts(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                rows = await self._pool.fetch(VERDICTS, self._judged_maybe())
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                log.warning("verdicts.unreadable", error=str(error))
                await asyncio.sleep(RETRY)
                self._look_for_due()
                continue
            verdicts = {row["event_id"]: Verdict(row["accepted"], row["version"]) for row in rows}
            for awaited in self._awaited:
                verdict = verdicts.get(awaited.event_id)
                if verdict is not None and not awaited.verdict.done():
                    awaited.verdict.set_result(verdict)
