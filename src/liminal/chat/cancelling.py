"""The wish to stop a turn, on its way to whoever works on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from liminal.chat.keys import STREAM_TTL, Keys

log = structlog.get_logger(__name__)


async def request_cancel(redis: Redis, keys: Keys, turn_id: UUID) -> None:
    """Ask whoever works on the turn, or will, to stop it."""
    pipe = redis.pipeline(transaction=False)
    pipe.set(keys.cancel(turn_id), b"1", ex=STREAM_TTL)
    pipe.publish(keys.cancel_channel, str(turn_id))
    await pipe.execute()


async def listen_for_cancel(redis: Redis, keys: Keys, handle: Callable[[UUID], None]) -> None:
    """Call ``handle`` with every turn that is to be stopped, until cancelled."""
    while True:
        try:
            async with redis.pubsub() as channel:
                await channel.subscribe(keys.cancel_channel)
                async for message in channel.listen():
                    if message["type"] == "message":
                        handle(UUID(message["data"].decode()))
        except (RedisConnectionError, RedisTimeoutError) as error:
            log.warning("cancel.redis_away", error=str(error))
            await asyncio.sleep(0.2)
