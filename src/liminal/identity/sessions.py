"""Browser sessions and token families: where an account is signed in, and how that ends.

Both are rows of the vault. They are looked up with every request, so that ending one, or suspending the
account, holds from the next request on; nothing about them is cached.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from asyncpg import Record

from liminal.identity.actor import Actor, Credential, Demand, Role, owes_second_factor
from liminal.identity.errors import HiddenResource
from liminal.identity.opaque import new_token, token_hash
from liminal.log.ids import new_id
from liminal.storage.postgres import Pool

LIFETIME = timedelta(days=30)
"""A session ends so long after signing in, whatever happens."""
IDLE = timedelta(days=7)
"""A session ends when it was not used for so long."""
MOST = 50
"""Sessions, and token families, that an account has at the same time; a new one ends the least used."""
TOUCH = timedelta(minutes=1)
"""``last_used_at`` is written at most so often."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A browser session or token family that is alive. Addresses and user agents never enter the log."""

    id: UUID
    kind: Literal["session", "token"]
    owner_id: UUID
    tenant_id: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    user_agent: str
    address: str


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A fresh session; ``token`` is what the cookie carries, for ``max_age`` seconds."""

    id: UUID
    token: str
    max_age: int


ACTOR_COLUMNS = """
    a.tenant_id, a.role, a.plan, c.suspended OR a.suspended OR a.deleted AS suspended,
    EXISTS (SELECT FROM vault.second_factors f
            WHERE f.account_id = a.account_id AND f.confirmed_at IS NOT NULL) AS second_factor
"""
"""What every kind of credential asks of ``vault.credentials c`` and ``read.accounts a``."""

_ACTOR = f"""
    {ACTOR_COLUMNS}
    FROM {{table}} s
    JOIN vault.credentials c ON c.account_id = s.account_id AND NOT c.pending
    JOIN read.accounts a ON a.account_id = s.account_id
"""

_SESSION = (
    "SELECT s.id, s.account_id, s.authenticated_at, s.last_used_at,"
    + _ACTOR.format(table="vault.sessions")
    + "WHERE s.expires_at > now() AND s.last_used_at > now() - $2::interval AND "
)

_BY_FAMILY = (
    "SELECT s.id, s.account_id, s.authenticated_at, s.last_used_at,"
    + _ACTOR.format(table="vault.token_families")
    + "WHERE s.id = $1 AND s.expires_at > now() AND s.revoked_at IS NULL"
)

_LIST = """
    SELECT s.*, a.tenant_id FROM (
        SELECT id, 'session' AS kind, account_id, created_at, last_used_at, expires_at, user_agent, address
        FROM vault.sessions WHERE expires_at > now() AND last_used_at > now() - $2::interval
        UNION ALL
        SELECT id, 'token', account_id, created_at, last_used_at, expires_at, user_agent, address
        FROM vault.token_families WHERE expires_at > now() AND revoked_at IS NULL
    ) s JOIN read.accounts a USING (account_id)
"""


def actor_from(
    row: Record, credential: Credential, demand: Demand, scopes: frozenset[str] | None = None
) -> Actor:
    """The actor of a joined credential row."""
    role = Role(row["role"])
    return Actor(
        account_id=row["account_id"],
        tenant_id=row["tenant_id"],
        role=role,
        plan=row["plan"],
        credential=credential,
        credential_id=row["id"],
        authenticated_at=row["authenticated_at"],
        scopes=scopes,
        suspended=row["suspended"],
        owes_second_factor=owes_second_factor(role, row["second_factor"], demand),
    )


def _session_row(row: Record) -> SessionRow:
    return SessionRow(
        id=row["id"],
        kind=row["kind"],
        owner_id=row["account_id"],
        tenant_id=row["tenant_id"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        expires_at=row["expires_at"],
        user_agent=row["user_agent"],
        address=row["address"],
    )


class Sessions:
    """Opens, finds and ends sessions."""

    def __init__(self, pool: Pool, demand: Demand) -> None:
        """``demand``: whose accounts have to have a second factor."""
        self._pool = pool
        self._demand: Demand = demand

    async def open(self, account_id: UUID, user_agent: str, address: str) -> OpenedSession:
        """Sign an account in, with a token that has never been seen before."""
        session_id, token = new_id(), new_token()
        await self._pool.execute(
            """INSERT INTO vault.sessions (id, token_hash, account_id, expires_at, user_agent, address)
               VALUES ($1, $2, $3, now() + $4::interval, $5, $6)""",
            session_id,
            token_hash(token),
            account_id,
            LIFETIME,
            user_agent,
            address,
        )
        await self._pool.execute(
            """DELETE FROM vault.sessions WHERE id IN (
                   SELECT id FROM vault.sessions WHERE account_id = $1
                   ORDER BY last_used_at DESC, id DESC OFFSET $2)""",
            account_id,
            MOST,
        )
        return OpenedSession(session_id, token, int(LIFETIME.total_seconds()))

    async def actor(self, token: str) -> Actor | None:
        """Who holds this session token; None when it is unknown, expired or ended."""
        return await self._session_actor("s.token_hash = $1", token_hash(token))

    async def actor_by_id(self, session_id: UUID) -> Actor | None:
        """Who holds the session with this id; None when it is unknown, expired or ended."""
        return await self._session_actor("s.id = $1", session_id)

    async def _session_actor(self, condition: str, value: bytes | UUID) -> Actor | None:
        row = await self._pool.fetchrow(_SESSION + condition, value, IDLE)
        if row is None:
            return None
        await self._touch("vault.sessions", row)
        return actor_from(row, Credential.SESSION, self._demand)

    async def family_actor(self, family_id: UUID) -> Actor | None:
        """Who holds this token family; None when it is unknown, expired or revoked."""
        row = await self._pool.fetchrow(_BY_FAMILY, family_id)
        if row is None:
            return None
        await self._touch("vault.token_families", row)
        return actor_from(row, Credential.TOKEN, self._demand)

    async def _touch(self, table: str, row: Record) -> None:
        if datetime.now(UTC) - row["last_used_at"] > TOUCH:
            await self._pool.execute(f"UPDATE {table} SET last_used_at = now() WHERE id = $1", row["id"])

    async def of_account(self, account_id: UUID) -> list[SessionRow]:
        """Where an account is signed in, most recently used first."""
        rows = await self._pool.fetch(
            _LIST + "WHERE s.account_id = $1 ORDER BY s.last_used_at DESC, s.id", account_id, IDLE
        )
        return [_session_row(row) for row in rows]

    async def get(self, session_id: UUID) -> SessionRow:
        """One session or family that is alive. Raises HiddenResource when there is none."""
        row = await self._pool.fetchrow(_LIST + "WHERE s.id = $1", session_id, IDLE)
        if row is None:
            raise HiddenResource("There is no such session.")
        return _session_row(row)

    async def confirm(self, actor: Actor) -> OpenedSession | None:
        """Note that the password was entered again now.

        A browser session goes on under a new token, which is returned: the old one may have been seen by
        someone. None for a token family, whose tokens change with every refresh.
        """
        if actor.credential is not Credential.SESSION:
            await self._pool.execute(
                "UPDATE vault.token_families SET authenticated_at = now() WHERE id = $1", actor.credential_id
            )
            return None
        token = new_token()
        left = await self._pool.fetchval(
            """UPDATE vault.sessions SET authenticated_at = now(), token_hash = $2 WHERE id = $1
               RETURNING extract(epoch FROM expires_at - now())::int""",
            actor.credential_id,
            token_hash(token),
        )
        return None if left is None else OpenedSession(actor.credential_id, token, left)

    async def end(self, session_id: UUID) -> None:
        """End one session or family."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("DELETE FROM vault.sessions WHERE id = $1", session_id)
            await connection.execute(
                "UPDATE vault.token_families SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL",
                session_id,
            )

    async def end_all(self, account_id: UUID, *, but: UUID | None = None) -> None:
        """End every session and family of an account, except ``but``."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "DELETE FROM vault.sessions WHERE account_id = $1 AND id IS DISTINCT FROM $2", account_id, but
            )
            await connection.execute(
                """UPDATE vault.token_families SET revoked_at = now()
                   WHERE account_id = $1 AND id IS DISTINCT FROM $2 AND revoked_at IS NULL""",
                account_id,
                but,
            )

    async def purge(self) -> int:
        """Delete what has expired; returns how many sessions and families that were."""
        async with self._pool.acquire() as connection, connection.transaction():
            sessions = await connection.fetchval(
                """WITH gone AS (
                       DELETE FROM vault.sessions
                       WHERE expires_at <= now() OR last_used_at <= now() - $1::interval RETURNING 1)
                   SELECT count(*) FROM gone""",
                IDLE,
            )
            families = await connection.fetchval(
                """WITH gone AS (DELETE FROM vault.token_families WHERE expires_at <= now() RETURNING 1)
                   SELECT count(*) FROM gone"""
            )
        return int(sessions) + int(families)
