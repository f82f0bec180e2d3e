"""The topic contract: made when absent, refused when it differs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from liminal.log import TopicContractBroken, ensure_topic
from liminal.log.errors import LogError
from liminal.log.read import open_reader
from liminal.log.topic import CONTRACT, read_configuration
from liminal.settings import Settings


async def alter(settings: Settings, **changes: str) -> None:
    """Give the topic these settings beside those of the contract, and wait until the broker says so."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    # this request replaces all of a topic's settings
    wanted = {**CONTRACT, "max.message.bytes": str(settings.max_event_bytes + 4096), **changes}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.topic, wanted)])
    async with asyncio.timeout(10):
        found: dict[str, str] = {}
        while not wanted.items() <= found.items():
            found = await read_configuration(admin, ConfigResourceType.TOPIC, settings.topic)
    await admin.close()


@pytest.fixture
async def absent(settings: Settings) -> Any:
    """Settings of a topic that does not exist yet."""
    topic = f"{settings.topic}.new"
    yield settings.model_copy(update={"topic": topic})
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    await admin.delete_topics([topic])
    await admin.close()


async def test_an_absent_topic_is_created_as_the_contract_says(absent: Settings) -> None:
    await ensure_topic(absent)
    await ensure_topic(absent)
    async with open_reader(absent) as reader:
        first, end = await reader.bounds()
    assert first == end == dict.fromkeys(range(absent.partitions), 0)


HARMFUL = {
    "cleanup.policy": "compact",
    "retention.ms": "604800000",
    "retention.bytes": "1000000",
    "message.timestamp.type": "LogAppendTime",
    "unclean.leader.election.enable": "true",
    "max.message.bytes": "1000",
}


async def test_a_topic_that_could_lose_events_is_refused_by_the_setting(settings: Settings) -> None:
    for setting, value in HARMFUL.items():
        await alter(settings, **{setting: value})
        with pytest.raises(TopicContractBroken) as refused:
            await ensure_topic(settings)
        assert refused.value.details["setting"] == setting
        assert f"{setting}={value}" in refused.value.message
    await alter(settings)
    await ensure_topic(settings)


async def test_another_number_of_partitions_is_refused(settings: Settings) -> None:
    with pytest.raises(TopicContractBroken, match="LIMINAL_PARTITIONS") as refused:
        await ensure_topic(settings.model_copy(update={"partitions": 5}))
    assert refused.value.details["setting"] == "partitions"


async def test_reading_a_topic_that_is_not_there_says_so_and_makes_none(settings: Settings) -> None:
    misspelt = settings.model_copy(update={"topic": f"{settings.topic}.misspelt"})
    for _ in range(2):
        with pytest.raises(LogError, match="there is no topic"):
            async with open_reader(misspelt):
                pass
