"""Access tokens (short JWTs) and refresh tokens (opaque, rotating, in families).

A refresh token works once. Seeing one again means that two parties hold it, so the whole family ends and
that is an event (RFC 9700, section 4.14.2). An access token names its family, and the family is looked up
with every request: a JWT of a revoked family or a suspended account is worth nothing, however fresh.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
from asyncpg import Record

from liminal.identity.actor import Actor
from liminal.identity.errors import InvalidToken, TokenReplayed
from liminal.identity.journal import Journal
from liminal.identity.opaque import new_token, token_hash
from liminal.identity.sessions import LIFETIME, MOST, Sessions
from liminal.identity.signals import Signals
from liminal.identity.signing_keys import SigningKeys
from liminal.log.events import AccountRefreshReused
from liminal.log.ids import new_id
from liminal.storage.postgres import Connection, Pool

ACCESS_LIFETIME = timedelta(minutes=10)
ALGORITHM = "EdDSA"
ISSUER = "liminal"
AUDIENCE = "liminal"
REFRESH_PREFIX = "lir_"


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a client is given at login and at each refresh."""

    access_token: str
    refresh_token: str
    expires_in: int


class Tokens:
    """Opens, renews and reads token families."""

    def __init__(
        self, pool: Pool, keys: SigningKeys, sessions: Sessions, journal: Journal, signals: Signals
    ) -> None:
        self._pool = pool
        self._keys = keys
        self._sessions = sessions
        self._journal = journal
        self._signals = signals

    async def open_family(self, account_id: UUID, user_agent: str, address: str) -> tuple[UUID, TokenPair]:
        """A family for an API client: its id, and its first pair."""
        family_id, refresh = new_id(), new_token(REFRESH_PREFIX)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                """INSERT INTO vault.token_families (id, account_id, expires_at, user_agent, address)
                   VALUES ($1, $2, now() + $3::interval, $4, $5)""",
                family_id,
                account_id,
                LIFETIME,
                user_agent,
                address,
            )
            await self._store(connection, family_id, refresh)
            await connection.execute(
                """UPDATE vault.token_families SET revoked_at = now() WHERE id IN (
                       SELECT id FROM vault.token_families WHERE account_id = $1 AND revoked_at IS NULL
                       ORDER BY last_used_at DESC, id DESC OFFSET $2)""",
                account_id,
                MOST,
            )
        return family_id, await self._pair(account_id, family_id, refresh)

    async def refresh(self, token: str, address: str) -> TokenPair:
        """Exchange a refresh token for a new pair.

        Raises:
            InvalidToken: unknown, expired or revoked. TokenReplayed: used before; the family is revoked now.
        """
        fresh = new_token(REFRESH_PREFIX)
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(
                """SELECT t.used_at, t.family_id, f.account_id, a.tenant_id,
                          f.revoked_at IS NULL AND f.expires_at > now() AND NOT c.suspended AS alive
                   FROM vault.refresh_tokens t
                   JOIN vault.token_families f ON f.id = t.family_id
                   JOIN vault.credentials c USING (account_id)
                   JOIN read.accounts a USING (account_id)
                   WHERE t.token_hash = $1 FOR UPDATE OF t""",
                token_hash(token),
            )
            if row is None or (row["used_at"] is None and not row["alive"]):
                raise InvalidToken("This refresh token is unknown, expired or revoked.")
            family_id: UUID = row["family_id"]
            if row["used_at"] is None:
                await connection.execute(
                    "UPDATE vault.refresh_tokens SET used_at = now() WHERE token_hash = $1", token_hash(token)
                )
                await self._store(connection, family_id, fresh)
        if row["used_at"] is not None:
            await self._revoke_replayed(row, address)
        return await self._pair(row["account_id"], family_id, fresh)

    async def _revoke_replayed(self, row: Record, address: str) -> None:
        account_id, family_id = row["account_id"], row["family_id"]
        await self._sessions.end(family_id)
        if row["alive"]:
            # only the replay that ends the family is news: repeating it must not fill the log
            await self._signals.revoked(account_id, family_id)
            event = AccountRefreshReused(account_id=account_id, family_id=family_id, address=address)
            await self._journal.write(account_id, row["tenant_id"], event)
        raise TokenReplayed("This refresh token was used before; sign in again.")

    async def actor(self, access_token: str) -> Actor | None:
        """Who holds this access token; None when its family has ended.

        Raises:
            InvalidToken: malformed, expired, or not signed by us.
        """
        claims = await self._verified(access_token)
        return await self._sessions.family_actor(UUID(claims["sid"]))

    async def _verified(self, access_token: str) -> dict[str, str]:
        try:
            kid = jwt.get_unverified_header(access_token).get("kid")
            key = await self._keys.find(kid) if isinstance(kid, str) else None
            if key is None:
                raise InvalidToken("The access token is not one of ours.")
            return jwt.decode(
                access_token,
                key.public,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": ["exp", "iat", "sub", "sid"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise InvalidToken("The access token has expired; refresh it.", reason="expired") from error
        except jwt.InvalidTokenError as error:
            raise InvalidToken("The access token is not valid.") from error

    async def _store(self, connection: Connection, family_id: UUID, refresh: str) -> None:
        await connection.execute(
            "INSERT INTO vault.refresh_tokens (token_hash, family_id) VALUES ($1, $2)",
            token_hash(refresh),
            family_id,
        )

    async def _pair(self, account_id: UUID, family_id: UUID, refresh: str) -> TokenPair:
        key = await self._keys.current()
        now = datetime.now(UTC)
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(account_id),
            "sid": str(family_id),
            "iat": now,
            "exp": now + ACCESS_LIFETIME,
            "jti": new_token(),
        }
        access = jwt.encode(claims, key.private, ALGORITHM, headers={"kid": key.kid})
        return TokenPair(access, refresh, int(ACCESS_LIFETIME.total_seconds()))
