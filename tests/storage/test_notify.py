"""Listening: payloads arrive, and a gap is told when some may not have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest

from liminal.settings import Settings
from liminal.storage.notify import Listener, Subscription
from liminal.storage.postgres import Pool, connect_pool
from liminal.storage.redis import RedisUnavailable, connect_redis


@dataclass
class Heard:
    """What was heard on one channel."""

    payloads: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    gaps: asyncio.Queue[bool] = field(default_factory=asyncio.Queue)

    def on(self, channel: str, listener: Listener) -> Subscription:
        return Subscription(
            channel, self.payloads.put_nowait, lambda: self.gaps.put_nowait(listener.connected)
        )


@pytest.fixture
async def pool(settings: Settings) -> AsyncGenerator[Pool]:
    """A pool on an empty database."""
    made = await connect_pool(settings)
    yield made
    await made.close()


async def test_each_subscriber_hears_its_channel(settings: Settings, pool: Pool) -> None:
    one, two, other = Heard(), Heard(), Heard()
    async with Listener(settings) as listener, asyncio.timeout(5):
        for heard, channel in ((one, "here"), (two, "here"), (other, "there")):
            await listener.subscribe(heard.on(channel, listener))
        await pool.execute("SELECT pg_notify('here', 'words')")
        assert await one.payloads.get() == await two.payloads.get() == "words"
        assert other.payloads.empty()


async def test_a_lost_connection_is_told_twice_and_made_again(settings: Settings, pool: Pool) -> None:
    heard = Heard()
    async with Listener(settings) as listener, asyncio.timeout(10):
        await listener.subscribe(heard.on("here", listener))
        await pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        assert await heard.gaps.get() is False
        assert await heard.gaps.get() is True
        await pool.execute("SELECT pg_notify('here', 'again')")
        assert await heard.payloads.get() == "again"


async def test_who_unsubscribed_hears_nothing(settings: Settings, pool: Pool) -> None:
    gone, there = Heard(), Heard()
    async with Listener(settings) as listener, asyncio.timeout(5):
        subscription = gone.on("here", listener)
        await listener.subscribe(subscription)
        await listener.subscribe(there.on("here", listener))
        listener.unsubscribe(subscription)
        await pool.execute("SELECT pg_notify('here', 'words')")
        assert await there.payloads.get() == "words"
        assert gone.payloads.empty()


async def test_a_redis_that_is_away_is_said_to_be_away(settings: Settings) -> None:
    with pytest.raises(RedisUnavailable, match="REDIS_URL"):
        await connect_redis(settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"}))


async def test_a_redis_that_answers_is_connected(settings: Settings) -> None:
    client = await connect_redis(settings)
    assert await client.ping()
    await client.aclose()
