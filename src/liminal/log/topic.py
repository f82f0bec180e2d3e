"""The topic contract: what the log's topic must be, made so when it is absent and refused when it differs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from liminal.log.errors import BrokerUnavailable, LogError, TopicContractBroken
from liminal.settings import Settings

CONTRACT = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "message.timestamp.type": "CreateTime",
    "unclean.leader.election.enable": "false",
}
"""Settings of the topic: nothing is compacted, dropped, stamped anew, or lost to a lagging replica."""

KNOWN_WITHIN = 10.0
"""Seconds after which a new topic that no broker knows counts as a broker that is away."""
RETRY = 0.05


async def ensure_topic(settings: Settings) -> None:
    """Create the topic when it is absent; check it against the contract when it is there.

    Raises TopicContractBroken naming the setting that differs, and BrokerUnavailable.
    """
    async with _admin(settings) as admin:
        replicas = await _check_brokers(admin)
        if settings.topic not in await admin.list_topics():
            await _create(admin, settings, replicas)
        await _check(admin, settings)


async def count_partitions(settings: Settings) -> int:
    """How many partitions the topic has. Raises LogError when it is not there, and BrokerUnavailable."""
    async with _admin(settings) as admin:
        if settings.topic not in await admin.list_topics():
            raise LogError(f"there is no topic {settings.topic}; `liminal init` creates it")
        return await _count(admin, settings.topic)


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncGenerator[AIOKafkaAdminClient]:
    servers = settings.kafka_bootstrap_servers
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    try:
        await admin.start()
        yield admin
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerUnavailable(f"no Kafka broker answers at {servers}: {error}", servers=servers) from error
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, settings: Settings, replicas: int) -> None:
    wanted = {**CONTRACT, "max.message.bytes": str(_max_message(settings))}
    topic = NewTopic(settings.topic, settings.partitions, replicas, topic_configs=wanted)
    reply: Any = await admin.create_topics([topic])
    for name, code, *message in reply.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise TopicContractBroken(
                f"the topic {name} can't be created: {error.__name__} {message}", topic=name
            )


async def _check(admin: AIOKafkaAdminClient, settings: Settings) -> None:
    topic = settings.topic
    found = await _count(admin, topic)
    if found != settings.partitions:
        way_out = "set LIMINAL_PARTITIONS to what the topic has"
        raise _broken(topic, "partitions", found, settings.partitions, way_out)
    actual = await read_configuration(admin, ConfigResourceType.TOPIC, topic)
    for name, wanted in CONTRACT.items():
        if actual.get(name) != wanted:
            raise _broken(topic, name, actual.get(name), wanted, "change it with kafka-configs")
    if int(actual["max.message.bytes"]) < settings.max_event_bytes:
        raise _broken(
            topic,
            "max.message.bytes",
            actual["max.message.bytes"],
            f"at least {_max_message(settings)}",
            "raise it, or lower LIMINAL_MAX_EVENT_BYTES",
        )


async def _count(admin: AIOKafkaAdminClient, topic: str) -> int:
    """How many partitions the topic has; a topic made a moment ago may need another moment to be known."""
    async with asyncio.timeout(KNOWN_WITHIN):
        while True:
            (described,) = await admin.describe_topics([topic])
            if count := len(described["partitions"]):
                return count
            await asyncio.sleep(RETRY)


async def _check_brokers(admin: AIOKafkaAdminClient) -> int:
    """The brokers' default number of replicas; refuses brokers that create topics by themselves."""
    cluster = await admin.describe_cluster()
    replicas = 1
    for broker in cluster["brokers"]:
        node = str(broker["node_id"])
        actual = await read_configuration(admin, ConfigResourceType.BROKER, node)
        if actual.get("auto.create.topics.enable") == "true":
            raise TopicContractBroken(
                f"broker {node} has auto.create.topics.enable=true: a misspelt topic would be a second log; "
                "set it to false",
                setting="auto.create.topics.enable",
            )
        replicas = int(actual.get("default.replication.factor", replicas))
    return replicas


async def read_configuration(
    admin: AIOKafkaAdminClient, kind: ConfigResourceType, name: str
) -> dict[str, str]:
    """The settings of a topic, or of a broker, as the brokers have them."""
    replies: list[Any] = await admin.describe_configs([ConfigResource(kind, name)])
    found: dict[str, str] = {}
    for reply in replies:
        for _code, _message, _kind, _name, entries in reply.resources:
            found.update((entry[0], entry[1]) for entry in entries)
    return found


def _max_message(settings: Settings) -> int:
    return settings.max_event_bytes + 4096


def _broken(topic: str, setting: str, found: object, wanted: object, way_out: str) -> TopicContractBroken:
    return TopicContractBroken(
        f"the topic {topic} has {setting}={found}, the log needs {wanted}; {way_out}",
        topic=topic,
        setting=setting,
        found=str(found),
        wanted=str(wanted),
    )
