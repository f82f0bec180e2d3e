"""Reading one partition from one offset to another, for rebuilds and whoever catches up by himself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from liminal.log.decode import Decoder
from liminal.log.errors import BrokerUnavailable
from liminal.projector.batch import Batch, decode_batch
from liminal.projector.errors import LogTruncated
from liminal.projector.event import Reading, Record
from liminal.settings import Settings

Item = TypeVar("Item")

BATCH = 5000
"""Most records folded in one transaction."""
FETCH = 8 * 1024 * 1024
"""Most bytes of one partition fetched at once, so most bytes of a batch."""
POLL_MS = 200
"""Longest wait for records before looking whether there is anything else to do."""


def make_consumer(
    settings: Settings, group: str | None = None, instance: str | None = None
) -> AIOKafkaConsumer:
    """A consumer as the projector needs it, not yet started.

    ``instance`` makes it a static member of its group (KIP-345): who comes back under the same name within
    the session's timeout goes on with its partitions, without a rebalance.
    """
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=group,
        group_instance_id=instance,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH,
        fetch_max_bytes=4 * FETCH,
        max_poll_interval_ms=600_000,
        # who is killed is missed after the least time that a broker allows by default
        session_timeout_ms=6_000,
        heartbeat_interval_ms=1_000,
    )


def check_contiguous(start: int, records: Sequence[Record]) -> None:
    """See that a fetch went on from where it was to. Raises LogTruncated."""
    if records and records[0].offset < start:
        first = records[0]
        raise LogTruncated(
            f"partition {first.partition} of {first.topic} was folded up to {start} and ends before it: "
            "the log was cut, or replaced",
            position=f"{first.partition}:{start}",
        )


@contextlib.asynccontextmanager
async def open_consumer(settings: Settings, *partitions: int) -> AsyncGenerator[AIOKafkaConsumer]:
    """A consumer outside any group, assigned to these partitions. Raises BrokerUnavailable."""
    consumer = make_consumer(settings)
    try:
        await consumer.start()
    except (KafkaError, OSError) as error:
        await consumer.stop()
        servers = settings.kafka_bootstrap_servers
        raise BrokerUnavailable(f"no Kafka broker answers at {servers}: {error}", servers=servers) from error
    try:
        consumer.assign([TopicPartition(settings.topic, partition) for partition in partitions])
        yield consumer
    finally:
        await consumer.stop()


async def end_offsets(settings: Settings, partitions: Sequence[int]) -> dict[int, int]:
    """The offset after the last record of each partition. Raises BrokerUnavailable."""
    async with open_consumer(settings, *partitions) as consumer:
        topics = [TopicPartition(settings.topic, partition) for partition in partitions]
        ends: Mapping[TopicPartition, int] = await consumer.end_offsets(topics)
        return {tp.partition: end for tp, end in ends.items()}


async def read_batches(
    settings: Settings,
    decoder: Decoder,
    reading: Reading,
    partition: int,
    start: int,
    stop: int,
    *,
    size: int = BATCH,
) -> AsyncGenerator[Batch]:
    """Batches that cover a partition from ``start`` to exactly ``stop``, both offsets."""
    if start >= stop:
        return
    tp = TopicPartition(settings.topic, partition)
    async with open_consumer(settings, partition) as consumer:
        consumer.seek(tp, start)
        while start < stop:
            found = await consumer.getmany(tp, timeout_ms=POLL_MS, max_records=size)
            records: list[Record] = [r for r in found.get(tp, ()) if r.offset < stop]
            check_contiguous(start, records)
            # the position also passes records that no consumer is shown
            end = min(stop, await consumer.position(tp))
            if end > start:
                yield await decode_batch(decoder, reading, partition, start, end, records)
                start = end


async def ahead(batches: AsyncIterator[Item], depth: int = 1) -> AsyncGenerator[Item]:
    """The same items, the next one made while the last one is worked on."""
    queue: asyncio.Queue[Item | BaseException | None] = asyncio.Queue(depth)

    async def pump() -> None:
        try:
            async for item in batches:
                await queue.put(item)
            await queue.put(None)
        except Exception as error:
            await queue.put(error)

    task = asyncio.create_task(pump(), name="ahead")
    try:
        while (item := await queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
