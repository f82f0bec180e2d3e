"""The loop: one worker of the projector, sharing out the partitions with others through a consumer group.

Kafka says who owns a partition, and may be late in saying so; the checkpoints in Postgres say what is folded,
and are always right. A batch is folded only where its first offset is the checkpoint (``liminal.fold``
compares), so whatever a rebalance does, a record is folded once. Kafka's own commit mirrors the checkpoint
for the tools that show lag, and is never read back.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from liminal.projector.batch import Batch, decode_batch
from liminal.projector.catchup import fold_range
from liminal.projector.errors import Fenced
from liminal.projector.event import Record
from liminal.projector.fold import Folder, Prepared, Standing, read_standings
from liminal.projector.generation import Generation, generations
from liminal.projector.reader import BATCH, POLL_MS, check_contiguous, make_consumer
from liminal.projector.resources import Resources, installation
from liminal.projector.session import Session, patiently

log = structlog.get_logger(__name__)

NEAR = 20_000
"""A generation that is further behind the others catches up by itself, while they go on."""
TICK = 1.0
"""Seconds between looks at which generations live, and commits of the lag mirror."""
COUNT_FENCED = (
    "UPDATE liminal.checkpoints SET fenced = fenced + 1 WHERE generation_id = ANY($1) AND partition = $2"
)


@dataclass(slots=True, eq=False)
class Lane:
    """One partition while this worker owns it and knows where it stands.

    Attributes:
        partition: the partition.
        standings: the generations folded together, all near each other.
        fetched: the offset after the last record fetched.
    """

    partition: int
    standings: list[Standing]
    fetched: int

    @property
    def position(self) -> int:
        """Everything before it is folded into all of them."""
        return min(standing.position for standing in self.standings)

    def next_fold(self, end: int) -> tuple[list[Standing], int]:
        """Who is furthest behind, and how far they may go: to ``end``, or until they meet the next."""
        start = self.position
        last = [s for s in self.standings if s.position == start]
        return last, min([end, *(s.position for s in self.standings if s.position > start)])


@dataclass(slots=True)
class Fetched:
    """A batch with the lane that it was fetched for."""

    lane: Lane
    batch: Batch
    prepared: Prepared | None


@dataclass(slots=True)
class Tally:
    """What a worker has done."""

    events: int = 0
    batches: int = 0
    fenced: int = 0


class Worker(ConsumerRebalanceListener):
    """Folds every partition that the group gives it into every live generation.

    ``tally`` counts what it did. Run it with ``run``; ``stop`` ends it between two batches. ``on_ready`` is
    called when the group has given it partitions, or none because others have them all. A generation that is
    further behind the others than ``near`` events catches up beside them.
    """

    def __init__(
        self,
        resources: Resources,
        *,
        batch_size: int = BATCH,
        instance: str | None = None,
        near: int = NEAR,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._resources = resources
        self._instance = instance
        self._near_enough = near
        self._on_ready = on_ready
        self._topic = resources.settings.topic
        self._size = batch_size
        self.tally = Tally()
        self._session = Session(resources.settings)
        self._folder = Folder(self._session, live=True, strict=False)
        self._lanes: dict[int, Lane] = {}
        self._living: list[Generation] = []
        self._chasing: dict[tuple[int, int], asyncio.Task[None]] = {}
        self._epoch = 0
        self._assigned = asyncio.Event()
        self._stopping = asyncio.Event()
        self._last_tick = 0.0
        self._committed: dict[int, int] = {}
        self._failure: Exception | None = None

    @property
    def partitions(self) -> list[int]:
        """The partitions that it folds now."""
        return sorted(self._lanes)

    def stop(self) -> None:
        """End after the batch that is being folded."""
        self._stopping.set()

    async def run(self) -> None:
        """Fold until ``stop``. Raises DatabaseLost when Postgres stays away, and what is a defect."""
        group = f"liminal.projector.{await installation(self._resources.pool)}"
        consumer = make_consumer(self._resources.settings, group, self._instance)
        await consumer.start()
        consumer.subscribe([self._topic], listener=self)
        batches: asyncio.Queue[Fetched] = asyncio.Queue(1)
        fetching = asyncio.create_task(self._fetch(consumer, batches), name="projector-fetch")
        try:
            await self._fold_all(batches, fetching)
        finally:
            fetching.cancel()
            await asyncio.gather(fetching, return_exceptions=True)
            await self._stop_chasing()
            await self._commit(consumer)
            await consumer.stop()
            await self._session.close()
            log.info("projector.stopped", events=self.tally.events, fenced=self.tally.fenced)

    # aiokafka awaits both, swallows what they raise, and runs them beside our own tasks

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, revoked: Collection[TopicPartition]
    ) -> None:
        """Forget where every partition stands; what is on its way is dropped or fenced."""
        self._assigned.clear()
        self._forget()

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, assigned: Collection[TopicPartition]
    ) -> None:
        """Fetch again, from the checkpoints."""
        self._forget()
        self._assigned.set()
        log.info("projector.assigned", partitions=sorted(tp.partition for tp in assigned))
        self._on_ready()

    def _forget(self) -> None:
        self._epoch += 1
        self._lanes.clear()

    async def _fetch(self, consumer: AIOKafkaConsumer, batches: asyncio.Queue[Fetched]) -> None:
        while True:
            await self._assigned.wait()
            epoch = self._epoch
            await self._tick(consumer)
            await self._open_lanes(consumer, epoch)
            if epoch != self._epoch:
                continue
            found = await consumer.getmany(timeout_ms=POLL_MS, max_records=self._size)
            # a rebalance meanwhile: these may be from the group's commit on, and not from our seek
            if epoch != self._epoch:
                continue
            for tp, records in found.items():
                lane = self._lanes.get(tp.partition)
                if lane is None or not records:
                    continue
                check_contiguous(lane.fetched, records)
                start, lane.fetched = lane.fetched, records[-1].offset + 1
                batch = await self._decode(lane, start, records)
                if self._lanes.get(tp.partition) is lane:
                    prepared = self._folder.prepare(lane.standings, batch)
                    await batches.put(Fetched(lane, batch, prepared))

    async def _decode(self, lane: Lane, start: int, records: Sequence[Record]) -> Batch:
        reading = self._folder.group(lane.standings).reading
        decoder = self._resources.decoder
        return await decode_batch(decoder, reading, lane.partition, start, lane.fetched, records)

    async def _open_lanes(self, consumer: AIOKafkaConsumer, epoch: int) -> None:
        for tp in consumer.assignment():
            if tp.partition in self._lanes:
                continue
            partition = tp.partition
            standings = await patiently(lambda p=partition: self._standings(p))
            near = self._near(partition, standings)
            if epoch != self._epoch:
                return
            if near:
                lane = Lane(partition, near, min(s.position for s in near))
                with contextlib.suppress(IllegalStateError):  # revoked a moment ago
                    consumer.seek(tp, lane.fetched)
                    self._lanes[partition] = lane

    async def _standings(self, partition: int) -> list[Standing]:
        async with self._resources.pool.acquire() as connection:
            return await read_standings(connection, self._living, partition)

    def _near(self, partition: int, standings: Sequence[Standing]) -> list[Standing]:
        """Those that are folded together; who is far behind is sent after them. Who judges is never left."""
        if not standings:
            return []
        front = max(s.position for s in standings)
        near = [s for s in standings if s.generation.judges or front - s.position <= self._near_enough]
        for standing in standings:
            key = (standing.generation.id, partition)
            if standing not in near and key not in self._chasing:
                self._chasing[key] = asyncio.create_task(self._chase(standing.generation, partition))
        return near

    async def _chase(self, generation: Generation, partition: int) -> None:
        """Fold one generation that is far behind until it is near the others, then let it join them."""
        log.info("projector.catching_up", projection=generation.projection, partition=partition)
        try:
            async with Session(self._resources.settings) as session:
                folder = Folder(session, live=True, strict=False)
                while (goal := self._goal(partition)) is not None:
                    await fold_range(self._resources, session, folder, [generation], partition, goal)
                    lane = self._lanes.get(partition)
                    if lane is not None and lane.position - goal <= self._near_enough // 2:
                        del self._lanes[partition]
                        return
        except Exception as error:
            self._failure = error
            self._stopping.set()
        finally:
            del self._chasing[generation.id, partition]

    def _goal(self, partition: int) -> int | None:
        lane = self._lanes.get(partition)
        return None if lane is None else lane.position

    async def _stop_chasing(self) -> None:
        tasks = list(self._chasing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fold_all(self, batches: asyncio.Queue[Fetched], fetching: asyncio.Task[None]) -> None:
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                getting = asyncio.create_task(batches.get())
                await asyncio.wait([getting, fetching, stopping], return_when=asyncio.FIRST_COMPLETED)
                if getting.done():
                    await self._fold(getting.result())
                    continue
                getting.cancel()
                if fetching.done():
                    return fetching.result()
        finally:
            stopping.cancel()
        if self._failure is not None:
            raise self._failure
        return None

    async def _fold(self, fetched: Fetched) -> None:
        lane, batch = fetched.lane, fetched.batch
        if self._lanes.get(lane.partition) is not lane:
            return
        try:
            while lane.position < batch.end:
                last, end = lane.next_fold(batch.end)
                whole = last[0].position == batch.start and end == batch.end
                part = batch if whole else batch.between(last[0].position, end)
                await self._folder.fold(last, part, fetched.prepared if whole else None)
            self.tally.events += len(batch.events)
            self.tally.batches += 1
        except Fenced as fence:
            await self._fenced(lane, batch, fence)

    async def _fenced(self, lane: Lane, batch: Batch, fence: Fenced) -> None:
        self.tally.fenced += 1
        log.info("projector.fenced", partition=lane.partition, start=batch.start, reason=fence.message)
        if self._lanes.get(lane.partition) is lane:
            del self._lanes[lane.partition]
        ids = [s.generation.id for s in lane.standings]
        await self._session.attempt(lambda c: c.execute(COUNT_FENCED, ids, lane.partition))
        self._last_tick = 0.0

    async def _tick(self, consumer: AIOKafkaConsumer) -> None:
        """Once a second: notice generations that came or went, and mirror the checkpoints to Kafka."""
        if time.monotonic() - self._last_tick < TICK:
            return
        self._last_tick = time.monotonic()
        living = await patiently(self._generations)
        if [g.id for g in living] != [g.id for g in self._living]:
            self._living = living
            self._lanes.clear()
        await self._commit(consumer)

    async def _generations(self) -> list[Generation]:
        async with self._resources.pool.acquire() as connection:
            return await generations(connection, states=["live"])

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        moved = {
            p: lane.position for p, lane in self._lanes.items() if lane.position > self._committed.get(p, 0)
        }
        if not moved:
            return
        try:
            await consumer.commit({TopicPartition(self._topic, p): o for p, o in moved.items()})
            self._committed.update(moved)
        except (KafkaError, IllegalStateError) as error:
            # the mirror may be late; nothing is read from it
            log.debug("projector.commit_failed", error=str(error))
