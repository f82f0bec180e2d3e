"""What an account prefers: its settings, folded from ``settings.changed``."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from liminal.identity.actor import Actor
from liminal.identity.journal import Journal
from liminal.log.events import SettingsChanged
from liminal.storage.postgres import Pool

PROJECTION = "settings"


class Preferences:
    """Reads and changes the settings of accounts."""

    def __init__(self, pool: Pool, journal: Journal) -> None:
        self._pool = pool
        self._journal = journal

    async def of_account(self, account_id: UUID) -> dict[str, Any]:
        """The settings that the account changed; what is absent has its default."""
        stored: str | None = await self._pool.fetchval(
            "SELECT settings FROM read.settings WHERE scope = 'account' AND subject = $1", str(account_id)
        )
        return {} if stored is None else orjson.loads(stored)

    async def change(self, actor: Actor, changes: dict[str, Any]) -> dict[str, Any]:
        """Change some settings; returns all as they stand after it."""
        event = SettingsChanged(scope="account", subject=str(actor.account_id), changes=changes)
        await self._journal.write_and_wait(actor.account_id, actor.tenant_id, event, projection=PROJECTION)
        return await self.of_account(actor.account_id)
