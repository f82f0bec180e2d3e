"""What must exist before any process of liminal runs: the log's topic, the schemas, the master key."""

from __future__ import annotations

from liminal.log.topic import ensure_topic
from liminal.settings import Settings
from liminal.storage.master_key import load_master_key
from liminal.storage.migrate import migrate
from liminal.storage.postgres import connect_pool


async def boot(settings: Settings) -> None:
    """Create or check all of it; safe to repeat, and from many processes at once.

    Raises what the log and the storage raise when the topic breaks its contract, the database is newer than
    this liminal, or a service does not answer.
    """
    load_master_key(settings, create=True)
    await ensure_topic(settings)
    pool = await connect_pool(settings)
    try:
        await migrate(pool)
    finally:
        await pool.close()
