"""The fixtures that every other test stands on."""

from __future__ import annotations

import asyncpg
import redis.asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from liminal.settings import Settings


async def test_the_three_services_of_a_test_answer(settings: Settings) -> None:
    connection = await asyncpg.connect(settings.database_url)
    await connection.execute("CREATE EXTENSION vector")
    assert await connection.fetchval("SELECT '[3,4]'::vector <-> '[0,0]'") == 5
    await connection.close()

    client = redis.asyncio.from_url(settings.redis_url)
    await client.set(settings.topic, "kept")
    assert await client.get(settings.topic) == b"kept"
    await client.aclose()

    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers) as producer:
        await producer.send_and_wait(settings.topic, b"value", key=b"owner")
    async with AIOKafkaConsumer(
        settings.topic,
        bootstrap_servers=settings.kafka_bootstrap_servers,
        auto_offset_reset="earliest",
    ) as consumer:
        assert (await consumer.getone()).value == b"value"
