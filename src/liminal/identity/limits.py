"""Rate limits and concurrency slots in Redis, each decided by one atomic script.

Rates follow the generic cell rate algorithm (GCRA, ITU-T I.371): a key holds the time at which its bucket
would be full again. Slots are leases in a sorted set, so that a process that dies gives its slots back.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

from redis.asyncio import Redis

from liminal.identity.errors import RateLimited, TooManyAtOnce

_TAKE = """
local now = redis.call('TIME')
now = now[1] * 1000 + now[2] / 1000
local wait = 0
local full = {}
for i, key in ipairs(KEYS) do
  local interval, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local tat = math.max(tonumber(redis.call('GET', key) or '0'), now) + interval * tonumber(ARGV[1])
  full[i] = tat
  wait = math.max(wait, tat - now - interval * burst)
end
if wait > 0 then return tostring(wait) end
for i, key in ipairs(KEYS) do
  if full[i] > now then
    redis.call('SET', key, string.format('%.3f', full[i]), 'PX', math.ceil(full[i] - now) + 1)
  else
    redis.call('DEL', key)
  end
end
return '0'
"""

_GIVE_BACK = """
local now = redis.call('TIME')
now = now[1] * 1000 + now[2] / 1000
for i, key in ipairs(KEYS) do
  local tat = tonumber(redis.call('GET', key) or '0') - tonumber(ARGV[i])
  if tat > now then
    redis.call('SET', key, string.format('%.3f', tat), 'PX', math.ceil(tat - now) + 1)
  else
    redis.call('DEL', key)
  end
end
return 0
"""

_ACQUIRE = """
local now = redis.call('TIME')
now = now[1] * 1000 + now[2] / 1000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[3]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return tostring(tonumber(first[2]) - now)
end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[3])
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[2]) + 1000)
return '0'
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """``burst`` requests at once, then ``per_minute``."""

    per_minute: float
    burst: int

    @property
    def interval_ms(self) -> float:
        """Milliseconds that one request costs."""
        return 60_000 / self.per_minute


@dataclass(frozen=True, slots=True)
class Bucket:
    """A counted thing, such as ``login:address:10.0.0.1``, and its rate."""

    name: str
    rate: Rate


@dataclass(frozen=True, slots=True)
class Plan:
    """What an account of a plan may use.

    Attributes:
        requests: of the whole HTTP surface.
        turns: new turns, over HTTP or a socket.
        turns_at_once: turns that are being answered.
        sockets: websockets open at the same time.
    """

    requests: Rate
    turns: Rate
    turns_at_once: int
    sockets: int


PLANS = {
    "free": Plan(requests=Rate(600, 120), turns=Rate(30, 10), turns_at_once=3, sockets=8),
    "pro": Plan(requests=Rate(3000, 600), turns=Rate(120, 40), turns_at_once=10, sockets=32),
    "internal": Plan(requests=Rate(60_000, 6000), turns=Rate(6000, 600), turns_at_once=200, sockets=4000),
}

ANONYMOUS = Rate(300, 100)
"""Requests of one address without a credential."""
SIGNUP = Rate(20 / 60, 20)
"""New accounts of one address."""
LOGIN_OF_PAIR = Rate(1, 5)
"""Failures of one address on one e-mail."""
LOGIN_OF_EMAIL = Rate(3, 50)
"""Failures of all addresses on one e-mail: slow enough for guessing, open enough for its owner."""
LOGIN_OF_ADDRESS = Rate(6, 30)
"""Failures of one address on all e-mails."""
PASSWORD_RESET = Rate(1, 10)
"""Tries of one address to use a reset token."""
REAUTHENTICATION = Rate(1, 5)
"""Failures of one account to confirm its password or one-time code."""


def plan_of(name: str) -> Plan:
    """The plan of this name. Raises KeyError: a plan that is not in the table cannot be served."""
    return PLANS[name]


class Limits:
    """Counts in Redis under ``namespace``.

    ``factor`` multiplies every rate and burst (for load tests); 0 switches rates off and leaves slots.
    """

    def __init__(self, redis: Redis, namespace: str, factor: float = 1.0) -> None:
        self._prefix = f"{namespace}:limit:"
        self._factor = factor
        self._take = redis.register_script(_TAKE)
        self._give_back = redis.register_script(_GIVE_BACK)
        self._acquire = redis.register_script(_ACQUIRE)
        self._redis = redis

    async def take(self, *buckets: Bucket) -> None:
        """Count one request against every bucket, or against none.

        Raises:
            RateLimited: with the seconds after which the fullest bucket has room, in ``retry_after``.
        """
        if self._factor == 0:
            return
        arguments: list[Any] = [1]
        for bucket in buckets:
            arguments += [bucket.rate.interval_ms / self._factor, int(bucket.rate.burst * self._factor) or 1]
        wait = float(cast(bytes, await self._take(keys=self._keys(buckets), args=arguments)))
        if wait > 0:
            seconds = round(wait / 1000, 3)
            raise RateLimited("Too many requests; wait a moment.", retry_after=seconds)

    async def give_back(self, *buckets: Bucket) -> None:
        """Undo one :meth:`take`, where only failures are to count."""
        if self._factor == 0:
            return
        arguments = [bucket.rate.interval_ms / self._factor for bucket in buckets]
        await self._give_back(keys=self._keys(buckets), args=arguments)

    @asynccontextmanager
    async def slot(self, name: str, limit: int, lease: float) -> AsyncGenerator[None]:
        """Hold one of ``limit`` slots of ``name`` inside; it frees itself ``lease`` seconds after a crash.

        Raises:
            TooManyAtOnce: all are taken.
        """
        holder = uuid4().hex
        await self.acquire(name, limit, lease, holder)
        try:
            yield
        finally:
            await self.release(name, holder)

    async def acquire(self, name: str, limit: int, lease: float, holder: str) -> None:
        """Take a slot for ``holder`` (again, if it has one) that another process may give back.

        Raises:
            TooManyAtOnce: all are taken by others.
        """
        arguments = [limit, lease * 1000, holder]
        if float(cast(bytes, await self._acquire(keys=[self._slot(name)], args=arguments))) > 0:
            raise TooManyAtOnce(f"At most {limit} at the same time.", limit=limit, retry_after=1)

    async def release(self, name: str, holder: str) -> None:
        """Give the slot of ``holder`` back, if it has one."""
        await self._redis.zrem(self._slot(name), holder)

    def _slot(self, name: str) -> str:
        return f"{self._prefix}slot:{name}"

    def _keys(self, buckets: Sequence[Bucket]) -> list[str]:
        return [self._prefix + bucket.name for bucket in buckets]
