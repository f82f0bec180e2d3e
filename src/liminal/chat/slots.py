"""How many turns of an account go on at once: a slot each, held by the turn itself and not by its socket.

The API takes it when the turn begins, and the worker that ends the turn gives it back, whatever became of the
socket or of the API process meanwhile.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

from liminal.identity.limits import Bucket, Limits, Plan

LEASE = 660.0
"""Seconds after which a slot frees itself, should nobody give it back; longer than any turn."""


class TurnSlots:
    """The slots of one account."""

    def __init__(self, limits: Limits, account_id: UUID | str) -> None:
        self._limits = limits
        self._account_id = account_id

    async def take(self, turn_id: UUID, plan: Plan) -> None:
        """Count a turn against the account's rate, and take its slot. Raises RateLimited, TooManyAtOnce."""
        counted, held = await asyncio.gather(
            self._limits.take(Bucket(f"turns:account:{self._account_id}", plan.turns)),
            self._limits.acquire(self._name, plan.turns_at_once, LEASE, str(turn_id)),
            return_exceptions=True,
        )
        if refused := counted or held:
            if held is None:
                await self.give_back(turn_id)
            raise refused

    async def give_back(self, turn_id: UUID) -> None:
        """The turn is over, or did not begin."""
        await self._limits.release(self._name, str(turn_id))

    @property
    def _name(self) -> str:
        # the slot of POST /v1/chat has the same name: both ways share one limit
        return f"turn:{self._account_id}"
