"""The connection to Redis: slots, limits and the frames of running turns; nothing that must last."""

from __future__ import annotations

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from liminal.settings import Settings
from liminal.storage.errors import RedisUnavailable

MOST_CONNECTIONS = 64
"""Of one client; redis-py's own pool raises at its limit, this one lets the next command wait its turn."""
WAIT = 20.0
"""Seconds that a command waits for a connection."""


async def connect_redis(settings: Settings) -> Redis:
    """A client on ``settings.redis_url`` that has answered once; the caller closes it with ``aclose()``.

    Replies are bytes. Raises RedisUnavailable.
    """
    pool = BlockingConnectionPool.from_url(
        settings.redis_url,
        max_connections=MOST_CONNECTIONS,
        timeout=WAIT,
        socket_connect_timeout=5,
        health_check_interval=30,
    )
    client = Redis.from_pool(pool)
    try:
        await client.ping()
    except (RedisError, OSError) as error:
        await client.aclose()
        raise RedisUnavailable(f"the Redis of REDIS_URL can't be reached: {error}") from error
    return client
