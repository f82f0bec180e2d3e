"""One LISTEN connection per process, shared by everything that wants to be woken."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import asyncpg
import structlog

from liminal.settings import Settings
from liminal.storage.errors import DatabaseUnavailable
from liminal.storage.postgres import connect

log = structlog.get_logger(__name__)

HEARTBEAT = 5.0
"""Seconds between proofs that the connection lives."""
RETRY = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds before each attempt to connect again; the last one repeats."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who listens to a channel.

    ``on_payload`` gets each payload. ``on_gap`` is called when payloads may have been missed: at once when
    the connection is lost and again when it is back; it must forget or read again whatever they told it.
    """

    channel: str
    on_payload: Callable[[str], None]
    on_gap: Callable[[], None]


class Listener:
    """Keeps one connection listening, through restarts of the server.

    ``connected`` is false while payloads may be missed.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._subscriptions: list[Subscription] = []
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._task: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether payloads arrive now."""
        return self._connection is not None

    async def __aenter__(self) -> Self:
        await self._connect()
        self._task = asyncio.create_task(self._keep(), name="listener")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def subscribe(self, subscription: Subscription) -> None:
        """Listen to a channel from now on."""
        self._subscriptions.append(subscription)
        if self._connection is not None:
            await self._listen(self._connection, subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop telling this subscriber."""
        self._subscriptions.remove(subscription)

    async def _connect(self) -> None:
        connection = await connect(self._settings)
        self._lost.clear()
        connection.add_termination_listener(lambda _: self._lost.set())
        try:
            for subscription in self._subscriptions:
                await self._listen(connection, subscription)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            connection.terminate()
            raise DatabaseUnavailable(f"the database went away: {error}") from error
        self._connection = connection

    async def _listen(
        self, connection: asyncpg.Connection[asyncpg.Record], subscription: Subscription
    ) -> None:
        def deliver(_connection: Any, _pid: int, _channel: str, payload: object) -> None:
            if subscription in self._subscriptions:
                subscription.on_payload(str(payload))

        await connection.add_listener(subscription.channel, deliver)

    async def _keep(self) -> None:
        while True:
            connection = self._connection
            assert connection is not None
            await self._until_lost(connection)
            self._connection = None
            connection.terminate()
            log.warning("listener.lost")
            self._gap()
            await self._reconnect()
            log.info("listener.back")
            self._gap()

    async def _until_lost(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        while not self._lost.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), HEARTBEAT)
                return
            try:
                await connection.execute("SELECT 1", timeout=HEARTBEAT)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                return

    async def _reconnect(self) -> None:
        attempt = 0
        while True:
            try:
                return await self._connect()
            except DatabaseUnavailable as error:
                log.debug("listener.retry", error=error.message)
                await asyncio.sleep(RETRY[min(attempt, len(RETRY) - 1)])
                attempt += 1

    def _gap(self) -> None:
        for subscription in self._subscriptions:
            subscription.on_gap()
