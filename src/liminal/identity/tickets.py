"""One-use tokens in Redis: tickets that open one websocket, and tokens that reset one password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from redis.asyncio import Redis

from liminal.identity.actor import Actor, Credential
from liminal.identity.opaque import new_token, token_hash

LIFETIME = 30
"""Seconds that a ticket is good for."""
RESET_LIFETIME = 3600
"""Seconds that a reset token is good for."""
RESET_PREFIX = "lip_"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the client puts into the socket's address."""

    token: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The credential that a ticket was issued to; it is looked up again before the socket opens."""

    credential: Credential
    credential_id: UUID


class Tickets:
    """Issues and redeems tickets."""

    def __init__(self, redis: Redis, namespace: str) -> None:
        self._redis = redis
        self._namespace = namespace

    async def issue(self, actor: Actor) -> Ticket:
        """A ticket that stands for the actor's credential."""
        token = new_token()
        value = orjson.dumps({"credential": actor.credential, "credential_id": str(actor.credential_id)})
        await self._redis.set(self._key("ticket", token), value, ex=LIFETIME)
        return Ticket(token, LIFETIME)

    async def redeem(self, token: str) -> Redeemed | None:
        """What the ticket stands for, once; None when it is unknown, expired or used."""
        value: Any = await self._redis.getdel(self._key("ticket", token))
        if value is None:
            return None
        fields = orjson.loads(value)
        return Redeemed(Credential(fields["credential"]), UUID(fields["credential_id"]))

    async def issue_reset(self, account_id: UUID) -> str:
        """A token that sets a new password once, for an admin to hand to the account's owner."""
        token = new_token(RESET_PREFIX)
        await self._redis.set(self._key("reset", token), str(account_id), ex=RESET_LIFETIME)
        return token

    async def account_of_reset(self, token: str) -> UUID | None:
        """Whose password the token resets; None when it is unknown, expired or used."""
        value: Any = await self._redis.get(self._key("reset", token))
        return None if value is None else UUID(value.decode())

    async def spend_reset(self, token: str) -> bool:
        """Use the token up; False when another request was first."""
        return bool(await self._redis.delete(self._key("reset", token)))

    def _key(self, purpose: str, token: str) -> str:
        return f"{self._namespace}:{purpose}:{token_hash(token).hex()}"
