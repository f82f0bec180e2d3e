"""What this room writes to the log about an account."""

from __future__ import annotations

from uuid import UUID

from liminal.log.envelope import Meta
from liminal.log.events import Event
from liminal.log.log import Log
from liminal.log.position import Position
from liminal.logging import current_correlation

ACCOUNTS = "accounts"


class Journal:
    """Appends events of one account's stream, keyed by the account."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def write(
        self, account_id: UUID, tenant_id: str, event: Event, *, actor: str | None = None
    ) -> Position:
        """Append; returns when the broker has it. ``actor`` is who did it, by default the account."""
        meta = Meta(
            owner=str(account_id),
            tenant=tenant_id,
            actor=actor or str(account_id),
            stream=f"{event.category}-{account_id}",
            correlation=current_correlation(),
        )
        return await self._log.append(event, meta)

    async def write_and_wait(
        self,
        account_id: UUID,
        tenant_id: str,
        event: Event,
        *,
        actor: str | None = None,
        projection: str = ACCOUNTS,
    ) -> None:
        """Append and return when ``projection`` can be read as it stands after it. Raises Stale."""
        position = await self.write(account_id, tenant_id, event, actor=actor)
        await self._log.wait_for(position, projection)
