"""Turns that wait for their first token, so that who works beside them can give way.

The frame writer keeps them: a turn waits from when a worker takes it until its first frame after ``routed``.
"""

from __future__ import annotations

import time

from redis.asyncio import Redis

from liminal.chat.streams import Keys

FORGET = 900.0
"""Seconds after which a turn counts no more: its worker was killed, and none came in its place."""


class WaitingTurns:
    """How long people wait."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._key = keys.waiting

    async def longest(self) -> float:
        """Seconds that the turn waits which waits longest; 0 where none does."""
        now = time.time()
        await self._redis.zremrangebyscore(self._key, 0, now - FORGET)
        first = await self._redis.zrange(self._key, 0, 0, withscores=True)
        return max(0.0, now - float(first[0][1])) if first else 0.0
