"""Turns that are being answered, so that who works beside them can give way.

A turn is being answered from when it is asked for until its last frame. It waits from when a worker takes it
until its first frame after ``routed``. The frame writer keeps both.
"""

from __future__ import annotations

import time
from uuid import UUID

from redis.asyncio import Redis

from liminal.chat.keys import Keys

FORGET = 900.0
"""Seconds after which a turn counts no more: its worker was killed, and none came in its place."""

LONG = 30.0
"""Seconds after which nobody stands aside for an answer any more."""


class WaitingTurns:
    """How long people wait, and for how many answers."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def begins(self, turn_id: UUID) -> None:
        """Somebody asked; the worker that answers will say when it has ended."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.zadd(self._keys.answering, {self._keys.frames(turn_id): time.time()}, nx=True)
        pipe.publish(self._keys.answering, "")
        await pipe.execute()

    async def longest(self) -> float:
        """Seconds that the turn waits which waits longest; 0 where none does."""
        now = time.time()
        await self._redis.zremrangebyscore(self._keys.waiting, 0, now - FORGET)
        first = await self._redis.zrange(self._keys.waiting, 0, 0, withscores=True)
        return max(0.0, now - float(first[0][1])) if first else 0.0

    async def answering(self) -> int:
        """How many turns are being answered, those of a long time left out."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.zremrangebyscore(self._keys.answering, 0, time.time() - LONG)
        pipe.zcard(self._keys.answering)
        return int((await pipe.execute())[1])
