"""The projector's own connection: made again when it is lost, used again when Postgres was only busy."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
import structlog

from liminal.projector.errors import DatabaseLost, Fenced
from liminal.settings import Settings
from liminal.storage.errors import DatabaseUnavailable
from liminal.storage.postgres import CONNECT_TIMEOUT

log = structlog.get_logger(__name__)

if TYPE_CHECKING:
    Raw = asyncpg.Connection[asyncpg.Record]
else:
    Raw = asyncpg.Connection
Result = TypeVar("Result")

FENCED = "LM001"
TRANSIENT = ("08", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE (PostgreSQL, appendix A) that say nothing about the event: connection, serialisation
and deadlock, resources, locks, operator intervention, the system below."""
DELAYS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each repetition; the last one repeats."""
LOST = (
    asyncpg.InterfaceError,
    # asyncpg's way to say that the server hung up in the middle of something
    asyncpg.InternalClientError,
    DatabaseUnavailable,
    OSError,
    TimeoutError,
)
"""Errors of a connection that is no longer one."""
PATIENCE = 60.0
"""Seconds until a Postgres that does not come back is given up."""

SETTINGS = {
    "application_name": "liminal projector",
    # rows and checkpoint are lost or kept together, and what is lost is folded again
    "synchronous_commit": "off",
    "jit": "off",
}


def is_transient(error: BaseException) -> bool:
    """Whether the same statement may succeed later."""
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate or "").startswith(TRANSIENT)
    return isinstance(error, LOST)


def is_fence(error: BaseException) -> bool:
    """Whether the checkpoint did not stand where the batch begins."""
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate == FENCED


async def connect(settings: Settings) -> Raw:
    """A connection that takes ``jsonb`` as bytes of JSON."""
    connection = await asyncpg.connect(
        settings.database_url, timeout=CONNECT_TIMEOUT, server_settings=SETTINGS
    )
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_versioned, decoder=_plain, format="binary"
    )
    return connection


def _versioned(value: bytes) -> bytes:
    # jsonb_recv knows one version of its form: a byte of 1, then the text
    return b"\x01" + value


def _plain(value: bytes) -> bytes:
    return value[1:]


async def install(connection: Raw) -> None:
    """Put this version of ``liminal.fold`` in place."""
    sql = resources.files("liminal.projector").joinpath("fold.sql").read_text(encoding="utf-8")
    async with connection.transaction():
        # two processes that replace a function at once make one of them fail
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('liminal.fold'))")
        await connection.execute(sql)


async def patiently(work: Callable[[], Awaitable[Result]], patience: float = PATIENCE) -> Result:
    """Run ``work``, again and again while what stops it is transient, for ``patience`` seconds.

    Raises Fenced, DatabaseLost, or what ``work`` raised for good.
    """
    deadline = time.monotonic() + patience
    attempt = 0
    while True:
        try:
            return await work()
        except (asyncpg.PostgresError, *LOST) as error:
            if is_fence(error):
                raise Fenced(str(error)) from error
            if not is_transient(error):
                raise
            if time.monotonic() > deadline:
                raise DatabaseLost(f"Postgres did not come back: {error}") from error
            log.warning("projector.retry", attempt=attempt + 1, error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(DELAYS[min(attempt, len(DELAYS) - 1)])
            attempt += 1


class Session:
    """One connection and the patience of a worker.

    Args:
        patience: seconds after which a Postgres that does not come back is given up.
    """

    def __init__(self, settings: Settings, *, patience: float = PATIENCE) -> None:
        self._settings = settings
        self._patience = patience
        self._connection: Raw | None = None

    async def connection(self) -> Raw:
        """The connection, made when there is none."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._settings)
        return self._connection

    async def attempt(self, work: Callable[[Raw], Awaitable[Result]]) -> Result:
        """Run ``work`` on the connection, patiently. Raises what ``patiently`` raises."""

        async def once() -> Result:
            try:
                return await work(await self.connection())
            except LOST:
                # whatever state it is in, it is not used again
                self._drop()
                raise

        return await patiently(once, self._patience)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                await connection.close(timeout=5)

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()
