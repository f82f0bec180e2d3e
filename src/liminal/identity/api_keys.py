"""API keys: shown once, kept as hashes, limited to scopes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from asyncpg import Record

from liminal.identity.actor import Actor, Credential, Demand, Role
from liminal.identity.errors import Forbidden, HiddenResource
from liminal.identity.journal import Journal
from liminal.identity.opaque import new_token, token_hash
from liminal.identity.sessions import ACTOR_COLUMNS, TOUCH, actor_from
from liminal.identity.signals import Signals
from liminal.log.events import AccountApiKeyCreated, AccountApiKeyRevoked
from liminal.log.ids import new_id
from liminal.storage.postgres import Pool

PREFIX = "lik_"
HINT_LENGTH = len(PREFIX) + 6
MAX_KEYS = 50


@dataclass(frozen=True, slots=True)
class ApiKeyRow:
    """A key without its secret."""

    id: UUID
    owner_id: UUID
    tenant_id: str
    name: str
    hint: str
    scopes: frozenset[str]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


_LIST = """
    SELECT k.*, a.tenant_id
    FROM vault.api_keys k JOIN read.accounts a USING (account_id)
    WHERE (k.expires_at IS NULL OR k.expires_at > now())
"""


def _row(row: Record) -> ApiKeyRow:
    return ApiKeyRow(
        id=row["id"],
        owner_id=row["account_id"],
        tenant_id=row["tenant_id"],
        name=row["name"],
        hint=row["hint"],
        scopes=frozenset(row["scopes"]),
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        expires_at=row["expires_at"],
    )


class ApiKeys:
    """Makes, finds and revokes API keys."""

    def __init__(self, pool: Pool, journal: Journal, signals: Signals, demand: Demand) -> None:
        """``demand``: whose accounts have to have a second factor."""
        self._pool = pool
        self._demand: Demand = demand
        self._journal = journal
        self._signals = signals

    async def create(
        self, actor: Actor, name: str, scopes: frozenset[str], expires_in_days: int | None
    ) -> tuple[ApiKeyRow, str]:
        """A new key and, this once, its text. Raises Forbidden for scopes that the account lacks itself."""
        if "admin" in scopes and actor.role is not Role.ADMIN:
            raise Forbidden("Only an admin's key can have the scope 'admin'.")
        if len(await self.of_account(actor.account_id)) >= MAX_KEYS:
            raise Forbidden(f"An account has at most {MAX_KEYS} keys; revoke one first.")
        key_id, key = new_id(), new_token(PREFIX)
        await self._pool.execute(
            """INSERT INTO vault.api_keys (id, account_id, key_hash, hint, name, scopes, expires_at)
               VALUES ($1, $2, $3, $4, $5, $6, now() + $7::interval)""",
            key_id,
            actor.account_id,
            token_hash(key),
            key[:HINT_LENGTH],
            name,
            sorted(scopes),
            None if expires_in_days is None else timedelta(days=expires_in_days),
        )
        row = await self.get(key_id)
        event = AccountApiKeyCreated(
            account_id=actor.account_id,
            key_id=key_id,
            name=name,
            scopes=sorted(scopes),
            expires_at=row.expires_at,
        )
        await self._journal.write(actor.account_id, actor.tenant_id, event)
        return row, key

    async def actor(self, key: str) -> Actor | None:
        """Who holds this key; None when it is unknown, expired or revoked."""
        return await self._actor("k.key_hash = $1", token_hash(key))

    async def actor_by_id(self, key_id: UUID) -> Actor | None:
        """Who holds the key with this id; None when it is unknown, expired or revoked."""
        return await self._actor("k.id = $1", key_id)

    async def _actor(self, condition: str, value: bytes | UUID) -> Actor | None:
        row = await self._pool.fetchrow(
            f"""SELECT k.id, k.account_id, k.scopes, k.last_used_at, NULL::timestamptz AS authenticated_at,
                       {ACTOR_COLUMNS}
                FROM vault.api_keys k
                JOIN vault.credentials c ON c.account_id = k.account_id AND NOT c.pending
                JOIN read.accounts a ON a.account_id = k.account_id
                WHERE (k.expires_at IS NULL OR k.expires_at > now()) AND {condition}""",
            value,
        )
        if row is None:
            return None
        used: datetime | None = row["last_used_at"]
        if used is None or datetime.now(UTC) - used > TOUCH:
            await self._pool.execute(
                "UPDATE vault.api_keys SET last_used_at = now() WHERE id = $1", row["id"]
            )
        return actor_from(row, Credential.API_KEY, self._demand, frozenset(row["scopes"]))

    async def of_account(self, account_id: UUID) -> list[ApiKeyRow]:
        """The keys of an account that are alive, newest first."""
        rows = await self._pool.fetch(_LIST + "AND k.account_id = $1 ORDER BY k.id DESC", account_id)
        return [_row(row) for row in rows]

    async def get(self, key_id: UUID) -> ApiKeyRow:
        """One key that is alive. Raises HiddenResource when there is none."""
        row = await self._pool.fetchrow(_LIST + "AND k.id = $1", key_id)
        if row is None:
            raise HiddenResource("There is no such key.")
        return _row(row)

    async def revoke(self, row: ApiKeyRow) -> None:
        """End a key; sockets that were opened with it close."""
        await self._pool.execute("DELETE FROM vault.api_keys WHERE id = $1", row.id)
        await self._signals.revoked(row.owner_id, row.id)
        event = AccountApiKeyRevoked(account_id=row.owner_id, key_id=row.id)
        await self._journal.write(row.owner_id, row.tenant_id, event)
