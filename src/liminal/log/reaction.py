"""Reactions: consumers with effects, many events in flight, each effect once.

FastStream owns the consumer's life; the loop is ours, because what it offers commits on arrival or works one
record at a time. Here a partition commits its low-water mark: the first offset that is not finished. A crash
therefore delivers some events again, and an effect must be the same when it is repeated: ids derived from the
cause, versioned appends where two workers may meet.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faststream import FastStream
from faststream.kafka import KafkaBroker
from faststream.middlewares import AckPolicy

from liminal.log.position import Position
from liminal.logging import configure_logging
from liminal.settings import Settings, load_settings
from liminal.stack.ready import announce_ready

log = structlog.get_logger(__name__)

COMMIT_EVERY = 0.5
"""Seconds between commits of the low-water mark."""
RETRY_DELAYS = (0.1, 0.5, 2.0, 5.0, 15.0)
"""Seconds before each repetition of a handler that raised; after the last one the event is given up."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event as a reaction gets it.

    ``event`` is the flat form of ``liminal.log.decode``. ``maybe_seen`` is true when another worker (or this
    one, before a crash) may have begun on it: the event was on the log when the partition was assigned.
    ``log_end`` is the offset after the last record that partition had then.
    """

    event: Mapping[str, Any]
    position: Position
    maybe_seen: bool
    log_end: int


Handler = Callable[[Delivery], Awaitable[None]]
Decode = Callable[[list[ConsumerRecord[bytes, bytes]]], Awaitable[list[dict[str, Any]]]]
GivenUp = Callable[[Delivery, Exception], Awaitable[None]]


class LowWater:
    """The first offset of a partition that is not finished, while later ones finish in any order."""

    def __init__(self, start: int) -> None:
        self.mark = start
        self._seen = start
        self._open: list[int] = []
        self._done: set[int] = set()

    def begin(self, offset: int) -> None:
        """An offset is being worked on; offsets come in rising order but not without gaps."""
        heapq.heappush(self._open, offset)
        self._seen = offset + 1

    def finish(self, offset: int) -> None:
        """An offset is done; the mark moves past everything finished before the first open one."""
        self._done.add(offset)
        while self._open and self._open[0] in self._done:
            self._done.remove(heapq.heappop(self._open))
        self.mark = self._open[0] if self._open else self._seen

    @property
    def in_flight(self) -> int:
        """Number of offsets begun and not finished."""
        return len(self._open) - len(self._done)


@dataclass(slots=True)
class _Partition:
    low_water: LowWater
    log_end: int
    committed: int
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    tails: dict[str, asyncio.Task[None]] = field(default_factory=dict[str, asyncio.Task[None]])


class Reaction(ConsumerRebalanceListener):
    """Calls ``handle`` for every event of the given types.

    Args:
        name: names the consumer group, together with the topic: two installations may share a broker.
        types: event types to handle; all others are passed over.
        order_by: events with equal keys are handled one after another, others side by side.
        in_flight: most events of one partition handled at the same time.
        decode: turns raw records into flat events (personal fields decrypted).
        given_up: told when an event's handler failed for the last time; the event then counts as done.
    """

    def __init__(
        self,
        name: str,
        *,
        types: Collection[str],
        handle: Handler,
        order_by: Callable[[Mapping[str, Any]], str],
        decode: Decode,
        given_up: GivenUp,
        in_flight: int = 64,
    ) -> None:
        self.name = name
        self._types = frozenset(kind.encode() for kind in types)
        self._handle = handle
        self._order_by = order_by
        self._decode = decode
        self._given_up = given_up
        self._in_flight = in_flight
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._paused: set[TopicPartition] = set()
        self._consumer: AIOKafkaConsumer | None = None
        self._running: asyncio.Task[None] | None = None

    def app(self, settings: Settings) -> FastStream:
        """The FastStream application that runs this reaction until it is stopped."""
        return reactions_app(settings, [self])

    def start(self, consumer: AIOKafkaConsumer) -> asyncio.Task[None]:
        """Begin to handle what the consumer brings; the task ends only when the loop fails."""
        self._consumer = consumer
        self._running = asyncio.create_task(self._run(consumer), name=f"reaction-{self.name}")
        return self._running

    async def stop(self) -> None:
        """Stop the work and commit what is finished."""
        if self._running is None:
            return
        self._running.cancel()
        # a loop that failed was logged where it ended the application
        await asyncio.gather(self._running, return_exceptions=True)
        await self._release(list(self._partitions))

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride]  (aiokafka awaits it)
        self, assigned: Collection[TopicPartition]
    ) -> None:
        """Learn where each new partition ends: what lies before may have been begun by another worker."""
        log.info("reaction.assigned", reaction=self.name, partitions=sorted(tp.partition for tp in assigned))

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride]  (aiokafka awaits it)
        self, revoked: Collection[TopicPartition]
    ) -> None:
        """Stop the work on these partitions and commit what is finished: the next owner takes over."""
        try:
            await self._release(revoked)
        except Exception:  # aiokafka swallows what a listener raises, so it is said here
            log.exception("reaction.release_failed", reaction=self.name)

    async def _release(self, partitions: Collection[TopicPartition]) -> None:
        gone = {tp: self._partitions.pop(tp) for tp in partitions if tp in self._partitions}
        for partition in gone.values():
            for task in partition.tasks:
                task.cancel()
        for partition in gone.values():
            await asyncio.gather(*partition.tasks, return_exceptions=True)
        self._paused.difference_update(gone)
        await self._commit(gone)

    async def _run(self, consumer: AIOKafkaConsumer) -> None:
        last_commit = asyncio.get_running_loop().time()
        committing: asyncio.Task[None] | None = None
        while True:
            batches = await consumer.getmany(timeout_ms=int(COMMIT_EVERY * 1000), max_records=500)
            for tp, records in batches.items():
                await self._accept(consumer, tp, records)
            self._throttle(consumer)
            now = asyncio.get_running_loop().time()
            if now - last_commit >= COMMIT_EVERY and (committing is None or committing.done()):
                last_commit = now
                # beside the loop: whoever waits for an answer does not wait for a commit
                committing = asyncio.create_task(self._commit(self._partitions))

    async def _accept(
        self, consumer: AIOKafkaConsumer, tp: TopicPartition, records: list[ConsumerRecord[bytes, bytes]]
    ) -> None:
        partition = self._partitions.get(tp)
        if partition is None:
            ends = await consumer.end_offsets([tp])
            first = records[0].offset
            partition = self._partitions[tp] = _Partition(LowWater(first), ends[tp], first)
        wanted = [record for record in records if dict(record.headers).get("ce_type") in self._types]
        events = iter(await self._decode(wanted)) if wanted else iter(())
        if tp not in consumer.assignment():
            return  # revoked while decoding; its next owner reads these records again
        chosen = {record.offset for record in wanted}
        for record in records:
            partition.low_water.begin(record.offset)
            if record.offset not in chosen:
                partition.low_water.finish(record.offset)
                continue
            position = Position(tp.partition, record.offset)
            delivery = Delivery(next(events), position, record.offset < partition.log_end, partition.log_end)
            self._schedule(partition, delivery)

    def _schedule(self, partition: _Partition, delivery: Delivery) -> None:
        key = self._order_by(delivery.event)
        task = asyncio.create_task(self._work(partition, delivery, partition.tails.get(key)))
        partition.tails[key] = task
        partition.tasks.add(task)

        def forget(done: asyncio.Task[None]) -> None:
            partition.tasks.discard(done)
            if partition.tails.get(key) is done:
                del partition.tails[key]

        task.add_done_callback(forget)

    async def _work(
        self, partition: _Partition, delivery: Delivery, before: asyncio.Task[None] | None
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
        with structlog.contextvars.bound_contextvars(
            reaction=self.name,
            position=str(delivery.position),
            correlation=delivery.event.get("_correlation"),
        ):
            await self._repeat(delivery)
        partition.low_water.finish(delivery.position.offset)
        self._throttle(self._consumer)

    async def _repeat(self, delivery: Delivery) -> None:
        for attempt in range(len(RETRY_DELAYS) + 1):
            try:
                return await self._handle(delivery)
            except Exception as error:
                if attempt == len(RETRY_DELAYS):
                    log.exception("reaction.given_up", type=delivery.event["_type"])
                    return await self._given_up(delivery, error)
                log.warning("reaction.retry", attempt=attempt + 1, error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(RETRY_DELAYS[attempt])
        return None

    def _throttle(self, consumer: AIOKafkaConsumer | None) -> None:
        if consumer is None:
            return
        for tp, partition in self._partitions.items():
            full = partition.low_water.in_flight >= self._in_flight
            if full == (tp in self._paused):
                continue
            with contextlib.suppress(IllegalStateError):  # revoked a moment ago
                (consumer.pause if full else consumer.resume)(tp)
                (self._paused.add if full else self._paused.discard)(tp)

    async def _commit(self, partitions: Mapping[TopicPartition, _Partition]) -> None:
        moved = {tp: p.low_water.mark for tp, p in partitions.items() if p.low_water.mark > p.committed}
        if not moved or self._consumer is None:
            return
        try:
            await self._consumer.commit(moved)  # pyright: ignore[reportArgumentType]
        except (CommitFailedError, IllegalStateError, KafkaError) as error:
            log.warning("reaction.commit_failed", reaction=self.name, error=str(error))
            return
        for tp, mark in moved.items():
            if tp in partitions:  # it may have gone meanwhile
                partitions[tp].committed = mark


def group_of(settings: Settings, name: str) -> str:
    """The consumer group of the reaction with this name."""
    return f"liminal.{name}.{settings.topic}"


def reactions_app(settings: Settings, reactions: Sequence[Reaction]) -> FastStream:
    """The FastStream application that runs these reactions until it is stopped, or one of their loops fails.

    Each has a consumer group, positions and rebalances of its own, as if it were alone.
    """
    own = logging.getLogger("faststream")  # its default ones write lines of their own to standard output
    broker = KafkaBroker(settings.kafka_bootstrap_servers, allow_auto_create_topics=False, logger=own)
    subscribers = [
        broker.subscriber(
            settings.topic,
            group_id=group_of(settings, reaction.name),
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            listener=reaction,
            max_poll_interval_ms=600_000,
            session_timeout_ms=6_000,
            heartbeat_interval_ms=1_500,
        )
        for reaction in reactions
    ]
    app = FastStream(broker, logger=own)

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            log.error("reaction.ended", task=task.get_name(), exc_info=task.exception())
            app.exit()

    @app.after_startup
    async def begin() -> None:  # pyright: ignore[reportUnusedFunction]
        for reaction, subscriber in zip(reactions, subscribers, strict=True):
            assert subscriber.consumer is not None
            reaction.start(subscriber.consumer).add_done_callback(ended)
        announce_ready(settings)

    @app.on_shutdown
    async def end() -> None:  # pyright: ignore[reportUnusedFunction]
        await asyncio.gather(*(reaction.stop() for reaction in reactions))

    return app


async def run_app(
    process: str, open_app: Callable[[Settings], AbstractAsyncContextManager[FastStream]]
) -> None:
    """The life of a process of reactions, until it is stopped; ``process`` is its name in the logs."""
    settings = load_settings()
    configure_logging(settings, process)
    async with open_app(settings) as app:
        await app.run()
