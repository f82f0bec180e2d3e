"""Word to every process that a credential ended, so that its sockets close at once (Redis pub/sub).

The message is only a hint to look again: who missed it finds out at the next lookup, because credentials
are never cached. A socket looks nothing up while it is open, so after Redis was away all of them do.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Revocation:
    """Credentials of an account that ended: one of them, or all except ``kept`` when ``ended`` is None."""

    account_id: UUID
    ended: UUID | None
    kept: UUID | None = None

    def concerns(self, account_id: UUID, credential_id: UUID) -> bool:
        """Whether what was opened with this credential has to close."""
        if account_id != self.account_id or credential_id == self.kept:
            return False
        return self.ended is None or self.ended == credential_id


class Signals:
    """Publishes revocations, and hands them to whoever listens in this process."""

    def __init__(self, redis: Redis, namespace: str) -> None:
        self._redis = redis
        self._channel = f"{namespace}:revoked"
        self._listeners: set[Callable[[Revocation], None]] = set()
        self._after_gaps: set[Callable[[], Awaitable[None]]] = set()

    async def revoked(self, account_id: UUID, ended: UUID | None = None, *, kept: UUID | None = None) -> None:
        """Say that a credential (all but ``kept`` when it is None) of an account ended."""
        message = {"account_id": account_id, "ended": ended, "kept": kept}
        # asyncpg's UUIDs are a subclass, which orjson leaves to ``default``
        await self._redis.publish(self._channel, orjson.dumps(message, default=str))

    def listen(self, listener: Callable[[Revocation], None]) -> Callable[[], None]:
        """Call ``listener`` with every revocation; returns what stops that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def after_gaps(self, look_again: Callable[[], Awaitable[None]]) -> None:
        """Call ``look_again`` whenever revocations may have been missed."""
        self._after_gaps.add(look_again)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Receive revocations of all processes while inside."""
        subscribed = asyncio.Event()
        task = asyncio.create_task(self._receive(subscribed), name="revocations")
        try:
            await asyncio.wait_for(subscribed.wait(), 10)
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _receive(self, subscribed: asyncio.Event) -> None:
        while True:
            try:
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(self._channel)
                    if subscribed.is_set():
                        await self._look_again()
                    subscribed.set()
                    async for message in channel.listen():
                        if message["type"] == "message":
                            self._deliver(message["data"])
            except (RedisConnectionError, RedisTimeoutError) as error:
                log.warning("revocations.redis_away", error=str(error))
                await asyncio.sleep(0.2)

    async def _look_again(self) -> None:
        for look_again in self._after_gaps:
            try:
                await look_again()
            except Exception:
                # without it a credential that ended would go on being used
                log.exception("revocations.look_again_failed")

    def _deliver(self, payload: bytes) -> None:
        fields = {name: value and UUID(value) for name, value in orjson.loads(payload).items()}
        revocation = Revocation(**fields)
        for listener in list(self._listeners):
            listener(revocation)
