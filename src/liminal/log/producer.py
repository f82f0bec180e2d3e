"""Producing with acks from all replicas, once each, and in bounded time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)
from aiokafka.partitioner import DefaultPartitioner

from liminal.log.envelope import Envelope
from liminal.log.errors import AppendRefused, AppendUnknown, BrokerUnavailable
from liminal.log.position import Position
from liminal.settings import Settings

log = structlog.get_logger(__name__)

BATCH = 256 << 10
"""Bytes of one partition that may be under way at a time, before compression."""
RETRY = 0.1
"""Seconds between attempts to reach a broker that is away."""

_REFUSALS = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    InvalidTimestampError,
    TopicAuthorizationFailedError,
)
_partitioner: Any = DefaultPartitioner()


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, as every Kafka client computes it (murmur2)."""
    every = list(range(partitions))
    return int(_partitioner(key, every, every))


class Producer:
    """An idempotent producer on the log's topic that is made anew when it broke for good."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topic
        self._partitions: dict[bytes, int] = {}
        self._renewing = asyncio.Lock()
        self._kafka = self._new()

    async def start(self) -> None:
        """Connect. Raises BrokerUnavailable."""
        try:
            async with asyncio.timeout(self._settings.append_timeout):
                await self._kafka.start()
        except (KafkaError, OSError, TimeoutError) as error:
            await self.stop()
            raise self._away(error) from error

    async def stop(self) -> None:
        """Flush what is under way, for no longer than an append may take, and disconnect."""
        await _stop(self._kafka, self._settings.append_timeout)

    async def send(self, envelope: Envelope, within: float) -> Position:
        """Append one event and wait for its ack, for so many seconds.

        Raises BrokerUnavailable and AppendRefused where it was not written, AppendUnknown where it may be.
        """
        handed: asyncio.Future[Any] | None = None
        try:
            async with asyncio.timeout(within):
                partition = self._partition(envelope.key)
                await self._reach(partition)
                handed = await self._kafka.send(
                    self._topic,
                    value=envelope.value,
                    key=envelope.key,
                    partition=partition,
                    timestamp_ms=envelope.timestamp_ms,
                    headers=envelope.headers,
                )
                record = await asyncio.shield(handed)
        except _REFUSALS as error:
            raise _refused(error, envelope) from error
        except (KafkaError, OSError, TimeoutError) as error:
            if handed is None:
                raise self._away(error) from error
            handed.add_done_callback(_hear_out)
            raise _unknown(error, envelope, within, 0) from error
        return Position(record.partition, record.offset)

    async def send_all(self, envelopes: Iterable[Envelope], within: float) -> list[Position]:
        """Append events in order and wait until all are acknowledged, for so many seconds.

        Raises BrokerUnavailable where none was written, AppendRefused where the broker refused one for good,
        AppendUnknown where some may be written; their ``details["acknowledged"]`` counts those that are.
        """
        batches: list[_Batch] = []
        places: list[tuple[_Batch, int]] = []
        filling: dict[int, _Batch] = {}
        try:
            async with asyncio.timeout(within):
                for envelope in envelopes:
                    partition = self._partition(envelope.key)
                    batch = filling.get(partition)
                    if batch is None or not batch.add(envelope):
                        if batch is None:
                            await self._reach(partition)
                        else:
                            await self._submit(batch)
                        batch = filling[partition] = _Batch(partition, self._kafka.create_batch(), envelope)
                        batches.append(batch)
                    places.append((batch, batch.count - 1))
                for batch in filling.values():
                    await self._submit(batch)
                for batch in batches:
                    assert batch.sent is not None
                    batch.base = (await batch.sent).offset
        except (KafkaError, OSError, TimeoutError) as error:
            if all(batch.sent is None for batch in batches):
                raise self._away(error) from error
            for batch in batches:
                if batch.sent is not None:
                    batch.sent.add_done_callback(_hear_out)
            acknowledged = sum(batch.count for batch in batches if batch.is_acknowledged)
            first = next(batch.first for batch in batches if not batch.is_acknowledged)
            if isinstance(error, _REFUSALS):
                raise _refused(error, first, acknowledged) from error
            raise _unknown(error, first, within, acknowledged) from error
        return [Position(batch.partition, batch.base + index) for batch, index in places]

    async def _submit(self, batch: _Batch) -> None:
        batch.sent = await self._kafka.send_batch(batch.builder, self._topic, partition=batch.partition)

    async def _reach(self, partition: int) -> None:
        """Wait for a connection to the partition's leader, so that what is handed over leaves at once."""
        place = TopicPartition(self._topic, partition)
        while True:
            await self._renew_if_broken()
            client: Any = self._kafka.client
            leader = client.cluster.leader_for_partition(place)
            if leader not in (None, -1) and await client.ready(leader):
                return
            client.force_metadata_update()
            await asyncio.sleep(RETRY)

    async def _renew_if_broken(self) -> None:
        """Replace a producer whose sender has ended: no sequence of its can go on."""
        if not _broken(self._kafka):
            return
        async with self._renewing:
            if _broken(self._kafka):
                log.warning("producer.renewed")
                await _stop(self._kafka, 0)
                self._kafka = self._new()
                await self._kafka.start()

    def _partition(self, key: bytes) -> int:
        partition = self._partitions.get(key)
        if partition is None:
            if len(self._partitions) > 100_000:
                self._partitions.clear()
            partition = self._partitions[key] = partition_of(key, self._settings.partitions)
        return partition

    def _new(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka_bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            max_batch_size=BATCH,
            max_request_size=self._settings.max_event_bytes + 4096,
            request_timeout_ms=int(self._settings.append_timeout * 1000),
        )

    def _away(self, error: Exception) -> BrokerUnavailable:
        servers = self._settings.kafka_bootstrap_servers
        reason = str(error) or type(error).__name__
        return BrokerUnavailable(
            f"no Kafka broker answers at {servers}: {reason}; nothing was written", servers=servers
        )


class _Batch:
    """Events of one partition that go to the broker together; ``base`` is the first one's offset."""

    __slots__ = ("base", "builder", "count", "first", "partition", "sent")

    def __init__(self, partition: int, builder: Any, first: Envelope) -> None:
        self.partition = partition
        self.builder = builder
        self.first = first
        self.count = 0
        self.sent: asyncio.Future[Any] | None = None
        self.base = -1
        self.add(first)

    def add(self, envelope: Envelope) -> bool:
        """Put an event in; False when the batch is full, which it never is for its first."""
        added = self.builder.append(
            timestamp=envelope.timestamp_ms,
            key=envelope.key,
            value=envelope.value,
            headers=envelope.headers,
        )
        self.count += added is not None
        return added is not None

    @property
    def is_acknowledged(self) -> bool:
        """Whether every replica has it."""
        sent = self.sent
        return sent is not None and sent.done() and not sent.cancelled() and sent.exception() is None


def _hear_out(sent: asyncio.Future[Any]) -> None:
    """Take the outcome of what nobody waits for any more, so that asyncio does not report it as lost."""
    if not sent.cancelled():
        sent.exception()


def _unknown(error: BaseException, first: Envelope, within: float, acknowledged: int) -> AppendUnknown:
    return AppendUnknown(
        f"the broker gave no answer within {within:g} s ({str(error) or type(error).__name__}): event "
        f"{first.id} may or may not be on the log; append it again with the same id",
        event_id=str(first.id),
        acknowledged=acknowledged,
    )


def _refused(error: KafkaError, first: Envelope, acknowledged: int = 0) -> AppendRefused:
    return AppendRefused(
        f"the broker refused the event: {error}", event_id=str(first.id), acknowledged=acknowledged
    )


def _sender(producer: AIOKafkaProducer) -> asyncio.Task[None] | None:
    """The task that sends; when it has ended, nothing is sent any more and aiokafka says so nowhere else."""
    return producer._sender.sender_task  # pyright: ignore[reportPrivateUsage]


def _broken(producer: AIOKafkaProducer) -> bool:
    sender = _sender(producer)
    return sender is not None and sender.done()


async def _stop(producer: AIOKafkaProducer, within: float) -> None:
    with contextlib.suppress(KafkaError, TimeoutError):
        await asyncio.wait_for(producer.stop(), within)
        return
    sender = _sender(producer)
    if sender is not None and not sender.done():
        sender.cancel()
    with contextlib.suppress(KafkaError):
        await producer.client.close()
