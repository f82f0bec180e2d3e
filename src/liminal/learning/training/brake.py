"""Giving way: a run goes on only while nobody waits, nothing is paused, and it was not called off."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

import structlog

from liminal.chat.waiting import WaitingTurns
from liminal.learning.errors import RunCancelled
from liminal.learning.training.pausing import is_paused
from liminal.storage.postgres import Pool

log = structlog.get_logger(__name__)

LOOK_EVERY = 0.5
"""Seconds between looks at the read models while a run goes on."""
WAIT = 0.25
"""Seconds between looks while it stands still."""
_OUTCOME = "SELECT state FROM read.training_runs WHERE run_id = $1"


class Brake:
    """Asked before every step of one run."""

    def __init__(self, pool: Pool, waiting: WaitingTurns, run_id: UUID, tenant: str, patience: float) -> None:
        """``patience``: seconds that a turn may wait for its first token before training stands still."""
        self._pool = pool
        self._waiting = waiting
        self._run_id = run_id
        self._tenant = tenant
        self._patience = patience
        self._looked = 0.0
        self.stood = 0.0
        """Seconds that the run stood still."""

    async def give_way(self) -> None:
        """Return when a step may be taken. Raises RunCancelled."""
        if time.monotonic() - self._looked < LOOK_EVERY:
            return
        began, still = time.monotonic(), False
        while await self._must_wait():
            if not still:
                log.info("learn.stands_still", run=str(self._run_id))
                still = True
            await asyncio.sleep(WAIT)
        self._looked = time.monotonic()
        if still:
            self.stood += self._looked - began

    async def _must_wait(self) -> bool:
        if await self._pool.fetchval(_OUTCOME, self._run_id) == "cancelled":
            raise RunCancelled("The run was called off.", run_id=str(self._run_id))
        if await self._waiting.longest() > self._patience:
            return True
        return await is_paused(self._pool, self._tenant)
