"""Whether anything may be learned now: the switches of accounts and admins, as settings on the log."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import orjson

from liminal.log.envelope import Meta
from liminal.log.events import SettingsChanged
from liminal.log.log import Log
from liminal.storage.postgres import Pool

PAUSED = "learning_paused"
LEARN = "learn_from_feedback"
_UNWILLING = """
    SELECT subject FROM read.settings
    WHERE scope = 'account' AND subject = ANY($1::text[]) AND settings -> $2 = 'false'::jsonb
"""
_SETTINGS = "SELECT settings FROM read.settings WHERE scope = $1 AND subject = $2"


async def _setting(pool: Pool, scope: str, subject: str, name: str, default: bool) -> bool:
    stored: str | None = await pool.fetchval(_SETTINGS, scope, subject)
    return default if stored is None else bool(orjson.loads(stored).get(name, default))


async def unwilling_among(pool: Pool, accounts: Collection[UUID]) -> set[UUID]:
    """Those of these accounts that do not let their feedback shape weights."""
    rows = await pool.fetch(_UNWILLING, [str(account) for account in accounts], LEARN)
    return {UUID(row["subject"]) for row in rows}


async def learns_from(pool: Pool, scope: str, subject: str) -> bool:
    """Whether an account lets its feedback shape weights; for a tenant each member is asked."""
    return scope != "user" or await _setting(pool, "account", subject, LEARN, True)


async def is_paused(pool: Pool, tenant: str) -> bool:
    """Whether an admin paused the learning of a tenant: runs wait where they are."""
    return await _setting(pool, "tenant", tenant, PAUSED, False)


async def set_paused(log: Log, tenant: str, actor: UUID, paused: bool) -> None:
    """Pause or resume the learning of a tenant; on return the read models show it."""
    event = SettingsChanged(scope="tenant", subject=tenant, changes={PAUSED: paused})
    meta = Meta(owner=tenant, tenant=tenant, actor=str(actor), stream=f"settings-{tenant}")
    await log.wait_for(await log.append(event, meta))
