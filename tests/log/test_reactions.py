"""Reactions that share a process: each reads the whole log at its own pace."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from tests.log.helpers import Person

from liminal.log import Log
from liminal.log.reaction import Delivery, Reaction, group_of, reactions_app
from liminal.settings import Settings


class Heard:
    """What a reaction was given, and whether it may finish."""

    def __init__(self, log: Log, name: str, types: set[str]) -> None:
        self.contents: list[str] = []
        self.given_up: list[Exception] = []
        self.free = asyncio.Event()
        self.reaction = Reaction(
            name,
            types=types,
            handle=self.handle,
            order_by=lambda event: str(event["_stream"]),
            decode=log.decoder.decode,
            given_up=self.refuse,
        )

    async def handle(self, delivery: Delivery) -> None:
        await self.free.wait()
        self.contents.append(delivery.event["content"])

    async def refuse(self, delivery: Delivery, error: Exception) -> None:
        self.given_up.append(error)

    async def until(self, count: int) -> list[str]:
        async with asyncio.timeout(20):
            while len(self.contents) < count:  # noqa: ASYNC110  the list has no event
                await asyncio.sleep(0.02)
        return self.contents


async def committed(settings: Settings, name: str) -> int:
    """Records that a reaction is done with, for good."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers, group_id=group_of(settings, name)
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(settings.topic, number) for number in range(settings.partitions)]
        return sum([await consumer.committed(partition) or 0 for partition in partitions])
    finally:
        await consumer.stop()


@pytest.mark.timeout(60)
async def test_reactions_of_one_process_read_the_whole_log_each_at_its_own_pace(
    log: Log, settings: Settings, person: Person
) -> None:
    quick, slow = Heard(log, "quick", {"message.posted"}), Heard(log, "slow", {"message.posted"})
    quick.free.set()
    await log.append_many([person.says("one"), person.says("two")])
    async with reactions_app(settings, [quick.reaction, slow.reaction]):
        assert await quick.until(2) == ["one", "two"]
        assert slow.contents == []
        slow.free.set()
        assert await slow.until(2) == ["one", "two"]
        slow.free.clear()
        await log.append(*person.says("three"))
        assert await quick.until(3) == ["one", "two", "three"]
    # what the slow one had not finished is not committed, and comes again
    assert await committed(settings, "quick") == 3
    assert await committed(settings, "slow") == 2
    again = Heard(log, "slow", {"message.posted"})
    again.free.set()
    async with reactions_app(settings, [again.reaction]):
        assert await again.until(1) == ["three"]
