"""Connections to Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from liminal.settings import Settings
from liminal.storage.errors import DatabaseUnavailable

if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection

CONNECT_TIMEOUT = 10.0
"""Seconds until a connection attempt counts as failed."""


async def connect_pool(settings: Settings, *, min_size: int = 1, max_size: int = 8) -> Pool:
    """A pool on ``settings.database_url``; the caller closes it.

    ``json`` and ``jsonb`` pass as text both ways. Raises DatabaseUnavailable.
    """
    try:
        pool = await asyncpg.create_pool(
            settings.database_url,
            min_size=min_size,
            max_size=max_size,
            timeout=CONNECT_TIMEOUT,
            server_settings={"application_name": "liminal"},
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise database_unavailable(error) from error
    return pool


async def connect(settings: Settings) -> asyncpg.Connection[asyncpg.Record]:
    """One connection outside any pool; the caller closes it. Raises DatabaseUnavailable."""
    try:
        return await asyncpg.connect(
            settings.database_url,
            timeout=CONNECT_TIMEOUT,
            server_settings={"application_name": "liminal"},
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise database_unavailable(error) from error


def database_unavailable(error: Exception) -> DatabaseUnavailable:
    """DatabaseUnavailable with the cause in its message; never the URL, which holds a password."""
    reason = str(error) or type(error).__name__
    return DatabaseUnavailable(f"the database of DATABASE_URL can't be reached: {reason}")
