"""The second factor: one-time codes (TOTP, RFC 6238) with recovery codes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from pyotp import random_base32
from pyotp.totp import TOTP

from liminal.identity.accounts import AccountRow
from liminal.identity.actor import Actor
from liminal.identity.errors import InvalidSecondFactor, SecondFactorActive, SecondFactorInactive
from liminal.identity.journal import Journal
from liminal.identity.opaque import new_recovery_code, recovery_code_hash
from liminal.log.events import (
    AccountSecondFactorDisabled,
    AccountSecondFactorEnabled,
    AccountSecondFactorRecovered,
)
from liminal.storage.postgres import Pool
from liminal.storage.vault import DataKey, Vault

STEP = 30
"""Seconds of one code."""
DRIFT = 1
"""Steps that a clock may be off, each way."""
RECOVERY_CODES = 10
ISSUER = "liminal"


@dataclass(frozen=True, slots=True)
class Setup:
    """What an authenticator is given: the otpauth URI, and the secret to type where there is no camera."""

    uri: str
    secret: str


class SecondFactor:
    """Sets up, checks and removes the second factor of accounts."""

    def __init__(self, pool: Pool, vault: Vault, journal: Journal) -> None:
        self._pool = pool
        self._seal = DataKey(vault.subkey("second factors"))
        self._journal = journal

    async def begin(self, account: AccountRow) -> Setup:
        """A fresh secret; nothing is asked for until :meth:`confirm`. Raises SecondFactorActive."""
        if account.second_factor:
            raise SecondFactorActive("This account has a second factor; remove it first.")
        secret = random_base32()
        await self._pool.execute(
            """INSERT INTO vault.second_factors (account_id, secret) VALUES ($1, $2)
               ON CONFLICT (account_id) DO UPDATE SET secret = excluded.secret, last_step = 0
               WHERE vault.second_factors.confirmed_at IS NULL""",
            account.account_id,
            self._seal.seal(secret.encode(), account.account_id.bytes),
        )
        uri = TOTP(secret, interval=STEP).provisioning_uri(name=account.email, issuer_name=ISSUER)
        return Setup(uri, secret)

    async def confirm(self, actor: Actor, code: str) -> list[str]:
        """Switch the second factor on; returns the recovery codes, this once.

        Raises:
            SecondFactorInactive: not begun. SecondFactorActive: on already. InvalidSecondFactor: wrong code.
        """
        confirmed = await self._pool.fetchrow(
            "SELECT confirmed_at FROM vault.second_factors WHERE account_id = $1", actor.account_id
        )
        if confirmed is None:
            raise SecondFactorInactive("Begin to set up the second factor first.")
        if confirmed["confirmed_at"] is not None:
            raise SecondFactorActive("This account has a second factor already.")
        if not await self._use_code(actor.account_id, code):
            raise InvalidSecondFactor("The code is wrong; check the clock of the authenticator.")
        codes = [new_recovery_code() for _ in range(RECOVERY_CODES)]
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "UPDATE vault.second_factors SET confirmed_at = now() WHERE account_id = $1", actor.account_id
            )
            await connection.execute(
                "DELETE FROM vault.recovery_codes WHERE account_id = $1", actor.account_id
            )
            await connection.executemany(
                "INSERT INTO vault.recovery_codes (account_id, code_hash) VALUES ($1, $2)",
                [(actor.account_id, recovery_code_hash(text)) for text in codes],
            )
        event = AccountSecondFactorEnabled(account_id=actor.account_id, method="totp")
        await self._journal.write(actor.account_id, actor.tenant_id, event)
        return codes

    async def is_active(self, account_id: UUID) -> bool:
        """Whether signing in needs a code."""
        return bool(
            await self._pool.fetchval(
                "SELECT 1 FROM vault.second_factors WHERE account_id = $1 AND confirmed_at IS NOT NULL",
                account_id,
            )
        )

    async def verify(self, account_id: UUID, tenant_id: str, code: str) -> None:
        """Accept a one-time or recovery code, once. Raises InvalidSecondFactor."""
        if await self._use_code(account_id, "".join(code.split())):
            return
        if await self._use_recovery_code(account_id, tenant_id, code):
            return
        raise InvalidSecondFactor("The code is wrong or was used before.")

    async def remove(self, account_id: UUID, tenant_id: str, *, by: Literal["user", "admin"]) -> None:
        """Switch the second factor off. Raises SecondFactorInactive."""
        async with self._pool.acquire() as connection, connection.transaction():
            gone = await connection.fetchval(
                """DELETE FROM vault.second_factors
                   WHERE account_id = $1 AND confirmed_at IS NOT NULL RETURNING 1""",
                account_id,
            )
            if gone is None:
                raise SecondFactorInactive("This account has no second factor.")
            await connection.execute("DELETE FROM vault.recovery_codes WHERE account_id = $1", account_id)
        event = AccountSecondFactorDisabled(account_id=account_id, method="totp", by=by)
        await self._journal.write(account_id, tenant_id, event, actor="cli" if by == "admin" else None)

    async def _use_code(self, account_id: UUID, code: str) -> bool:
        sealed = await self._pool.fetchval(
            "SELECT secret FROM vault.second_factors WHERE account_id = $1", account_id
        )
        if sealed is None:
            return False
        totp = TOTP(self._seal.open(sealed, account_id.bytes).decode(), interval=STEP)
        now = int(time.time()) // STEP
        for step in range(now - DRIFT, now + DRIFT + 1):
            # pyotp compares in constant time; the update is what makes a code work once under concurrency
            if totp.verify(code, for_time=step * STEP) and await self._pool.fetchval(
                """UPDATE vault.second_factors SET last_step = $2
                   WHERE account_id = $1 AND last_step < $2 RETURNING 1""",
                account_id,
                step,
            ):
                return True
        return False

    async def _use_recovery_code(self, account_id: UUID, tenant_id: str, code: str) -> bool:
        used = await self._pool.fetchval(
            "DELETE FROM vault.recovery_codes WHERE account_id = $1 AND code_hash = $2 RETURNING 1",
            account_id,
            recovery_code_hash(code),
        )
        if used is None:
            return False
        remaining: int = await self._pool.fetchval(
            "SELECT count(*) FROM vault.recovery_codes WHERE account_id = $1", account_id
        )
        event = AccountSecondFactorRecovered(account_id=account_id, remaining=remaining)
        await self._journal.write(account_id, tenant_id, event)
        return True
