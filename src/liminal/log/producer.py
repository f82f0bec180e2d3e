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
        """Append one event and wait for its ack; see ``send_all`` for what it raises."""
        return (await self.send_all([envelope], within))[0]

    async def send_all(self, envelopes: Iterable[Envelope], within: float) -> list[Position]:
        """Append events in order and wait until all are acknowledged, ``within`` so many seconds.

        Raises BrokerUnavailable where none of them was written, AppendRefused where the broker refused one
        for good, AppendUnknown where some may have been written (``details["acknowledged"]`` counts those
        that were).
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        handed: list[tuple[Envelope, asyncio.Future[Any]]] = []
        for envelope in envelopes:
            try:
                async with asyncio.timeout_at(deadline):
                    handed.append((envelope, await self._hand_over(envelope)))
            except (KafkaError, OSError, TimeoutError) as error:
                if not handed:
                    raise self._away(error) from error
                raise _unknown(handed, envelope, within, error) from error
        if handed:
            await asyncio.wait([future for _, future in handed], timeout=max(0.0, deadline - loop.time()))
        for envelope, future in handed:
            error = _failure(future)
            if isinstance(error, _REFUSALS):
                raise AppendRefused(
                    f"the broker refused the event: {error}", event_id=str(envelope.id)
                ) from error
            if error is not None:
                raise _unknown(handed, envelope, within, error) from error
        return [Position(future.result().partition, future.result().offset) for _, future in handed]

    async def _hand_over(self, envelope: Envelope) -> asyncio.Future[Any]:
        partition = self._partition(envelope.key)
        await self._reach(partition)
        return await self._kafka.send(
            self._topic,
            value=envelope.value,
            key=envelope.key,
            partition=partition,
            timestamp_ms=envelope.timestamp_ms,
            headers=envelope.headers,
        )

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


def _unknown(
    handed: list[tuple[Envelope, asyncio.Future[Any]]], first: Envelope, within: float, error: BaseException
) -> AppendUnknown:
    acknowledged = sum(1 for _, future in handed if _failure(future) is None)
    return AppendUnknown(
        f"the broker gave no answer within {within:g} s ({str(error) or type(error).__name__}): event "
        f"{first.id} may or may not be on the log; append it again with the same id",
        event_id=str(first.id),
        acknowledged=acknowledged,
    )


def _failure(future: asyncio.Future[Any]) -> BaseException | None:
    return future.exception() if future.done() else TimeoutError()


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
