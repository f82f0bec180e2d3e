"""Reading the log raw: from a place, to its end or for ever, filtered, in order of time."""

from __future__ import annotations

import asyncio
import fnmatch
import heapq
import re
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from liminal.log.errors import LogError
from liminal.log.position import Position
from liminal.log.producer import partition_of
from liminal.log.topic import count_partitions
from liminal.settings import Settings

RawRecord = Any
"""aiokafka's ConsumerRecord, whose type parameters say nothing here."""

BATCH = 5000
AHEAD = 20_000
"""Records of one partition that may wait for another partition to catch up in time."""
POLL_MS = 500


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are wanted; None means any.

    Attributes:
        types: event types, ``*`` standing for any part: ``message.*``.
        owner: the owner.
        stream: the stream, or with ``*``.
    """

    types: tuple[str, ...] | None = None
    owner: str | None = None
    stream: str | None = None

    def wants(self, record: RawRecord) -> bool:
        """Whether a record passes; one without event headers passes no filter on them."""
        if self.owner is not None and record.key != self.owner.encode():
            return False
        if self.types is None and self.stream is None:
            return True
        head = dict(record.headers)
        if self.stream is not None and not _matches(head, "ce_subject", self.stream):
            return False
        return self.types is None or any(_matches(head, "ce_type", pattern) for pattern in self.types)

    def partitions(self, count: int) -> list[int]:
        """Where such events can be."""
        return list(range(count)) if self.owner is None else [partition_of(self.owner.encode(), count)]


def _matches(head: Mapping[str, bytes], name: str, pattern: str) -> bool:
    return name in head and fnmatch.fnmatchcase(head[name].decode(errors="replace"), pattern)


def parse_since(text: str, now: datetime | None = None) -> Position | datetime:
    """A place on the log: ``p:o``, an RFC 3339 time, or how long ago: ``90s``, ``10m``, ``2h``, ``3d``.

    A time without a zone is UTC. Raises LogError.
    """
    if match := re.fullmatch(r"(\d+)([smhd])", text):
        unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[match[2]]
        return (now or datetime.now(UTC)) - timedelta(**{unit: int(match[1])})
    try:
        return Position.parse(text)
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise LogError(
            f"{text!r} is no place on the log: give a position (0:42), a time (2026-11-23T10:00:00Z) "
            "or how long ago (10m)"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


class Reader:
    """A consumer of the topic without a group; make it with ``open_reader``."""

    def __init__(
        self, settings: Settings, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]
    ) -> None:
        self._topic = settings.topic
        self._consumer = consumer
        self._all = partitions

    async def bounds(self) -> tuple[dict[int, int], dict[int, int]]:
        """The first offset and the offset after the last one, by partition."""
        first = await self._consumer.beginning_offsets(self._all)
        end = await self._consumer.end_offsets(self._all)
        return {tp.partition: o for tp, o in first.items()}, {tp.partition: o for tp, o in end.items()}

    async def offsets_at(self, since: Position | datetime | None) -> dict[int, int]:
        """Where to begin, by partition; a position speaks of its own partition alone.

        Of a time: the first record that happened then or later; records are stored in the order in which they
        were appended, so later ones may be older.
        """
        first, end = await self.bounds()
        if since is None:
            return first
        if isinstance(since, Position):
            if since.partition not in first:
                raise LogError(f"there is no partition {since.partition}: the log has {len(first)}")
            return {since.partition: max(first[since.partition], since.offset)}
        ms = int(since.timestamp() * 1000)
        found = await self._consumer.offsets_for_times(dict.fromkeys(self._all, ms))
        return {tp.partition: end[tp.partition] if at is None else at.offset for tp, at in found.items()}

    async def upto(self, start: Mapping[int, int], end: Mapping[int, int]) -> AsyncGenerator[list[RawRecord]]:
        """All records from ``start`` to before ``end`` in batches, merged in order of time.

        Within one partition the order is the log's own. Partitions that ``start`` does not name are not read.
        """
        wanted = {p: (o, end[p]) for p, o in start.items() if end[p] > o}
        async for batch in self._merged(wanted):
            yield batch

    async def follow(self, start: Mapping[int, int]) -> AsyncGenerator[list[RawRecord]]:
        """Records from ``start`` on as they arrive, without end; an empty batch when none came."""
        self._seek(start)
        while True:
            batches = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH)
            yield sorted((r for rs in batches.values() for r in rs), key=_order)

    async def one(self, position: Position) -> RawRecord:
        """The record at a position. Raises LogError when there is none."""
        first, end = await self.bounds()
        low, high = first.get(position.partition, 0), end.get(position.partition, 0)
        if low <= position.offset < high:
            async for batch in self.upto({position.partition: position.offset}, end):
                return batch[0]
        raise LogError(
            f"nothing is at {position}: partition {position.partition} holds {low} to {high - 1}"
            if high > low
            else f"nothing is at {position}: partition {position.partition} is empty"
        )

    async def _merged(self, wanted: Mapping[int, tuple[int, int]]) -> AsyncGenerator[list[RawRecord]]:
        if not wanted:
            return
        self._seek({p: start for p, (start, _) in wanted.items()})
        waiting: dict[int, deque[RawRecord]] = {p: deque() for p in wanted}
        paused: set[TopicPartition] = set()
        while waiting:
            batches = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH)
            for tp, records in batches.items():
                if tp.partition in waiting:
                    waiting[tp.partition].extend(r for r in records if r.offset < wanted[tp.partition][1])
                if len(waiting.get(tp.partition, ())) > AHEAD:
                    self._consumer.pause(tp)
                    paused.add(tp)
            done = {
                p for p in waiting
                if await self._consumer.position(TopicPartition(self._topic, p)) >= wanted[p][1]
            }  # fmt: skip
            ready = _take_ready(waiting, done)
            for partition in done:
                self._consumer.pause(TopicPartition(self._topic, partition))
                if not waiting[partition]:
                    del waiting[partition]
            for tp in [tp for tp in paused if len(waiting.get(tp.partition, ())) <= AHEAD]:
                paused.discard(tp)
                if tp.partition not in done:
                    self._consumer.resume(tp)
            if ready:
                yield ready

    def _seek(self, start: Mapping[int, int]) -> None:
        places = [TopicPartition(self._topic, partition) for partition in start]
        self._consumer.assign(places)
        for place in places:
            self._consumer.seek(place, start[place.partition])


def _take_ready(waiting: Mapping[int, deque[RawRecord]], done: set[int]) -> list[RawRecord]:
    """Take, in order of time, what no partition that is still read can precede."""
    if any(not records and partition not in done for partition, records in waiting.items()):
        return []
    ready: list[RawRecord] = []
    heap = [(*_order(records[0]), p) for p, records in waiting.items() if records]
    heapq.heapify(heap)
    while heap:
        partition = heapq.heappop(heap)[-1]
        records = waiting[partition]
        ready.append(records.popleft())
        if records:
            heapq.heappush(heap, (*_order(records[0]), partition))
        elif partition not in done:
            break
    return ready


def _order(record: RawRecord) -> tuple[int, int, int]:
    return record.timestamp, record.partition, record.offset


@asynccontextmanager
async def open_reader(settings: Settings) -> AsyncGenerator[Reader]:
    """A reader of the log's topic. Raises BrokerUnavailable, or LogError when the topic is not there."""
    partitions = [TopicPartition(settings.topic, p) for p in range(await count_partitions(settings))]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 << 20,
        check_crcs=False,
    )
    try:
        await consumer.start()
        await asyncio.sleep(0)  # its tasks must have begun: one that has not can't be stopped cleanly
        yield Reader(settings, consumer, partitions)
    finally:
        await consumer.stop()
