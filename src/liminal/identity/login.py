"""Signing in: e-mail, password, second factor, and what guessing them costs."""

from __future__ import annotations

from uuid import UUID

from liminal.identity.accounts import AccountRow, Accounts
from liminal.identity.actor import Actor
from liminal.identity.errors import AccountSuspended, InvalidCredentials, SecondFactorRequired
from liminal.identity.limits import (
    LOGIN_OF_ADDRESS,
    LOGIN_OF_EMAIL,
    LOGIN_OF_PAIR,
    REAUTHENTICATION,
    Bucket,
    Limits,
)
from liminal.identity.passwords import Passwords
from liminal.identity.second_factor import SecondFactor
from liminal.storage.postgres import Pool


class Login:
    """Verifies who somebody is."""

    def __init__(
        self,
        pool: Pool,
        passwords: Passwords,
        accounts: Accounts,
        second_factor: SecondFactor,
        limits: Limits,
    ) -> None:
        self._pool = pool
        self._passwords = passwords
        self._accounts = accounts
        self._second_factor = second_factor
        self._limits = limits

    async def verify(self, email: str, password: str, code: str | None, address: str) -> AccountRow:
        """The account that these credentials belong to.

        An unknown e-mail costs the same time and gives the same answer as a wrong password. Whether the
        account is suspended, or wants a second factor, is told only to who knows the password.

        Raises:
            RateLimited, InvalidCredentials, SecondFactorRequired, InvalidSecondFactor, AccountSuspended.
        """
        email_hash = self._accounts.email_hash(email)
        buckets = (
            Bucket(f"login:pair:{email_hash.hex()}:{address}", LOGIN_OF_PAIR),
            Bucket(f"login:email:{email_hash.hex()}", LOGIN_OF_EMAIL),
            Bucket(f"login:address:{address}", LOGIN_OF_ADDRESS),
        )
        await self._limits.take(*buckets)
        row = await self._pool.fetchrow(
            """SELECT account_id, password_hash, suspended FROM vault.credentials
               WHERE email_hash = $1 AND NOT pending""",
            email_hash,
        )
        stored: str | None = row["password_hash"] if row else None
        if not await self._passwords.verify(stored, password) or row is None or stored is None:
            raise InvalidCredentials("E-mail and password do not belong together.")
        account_id: UUID = row["account_id"]
        if row["suspended"]:
            raise AccountSuspended("This account is suspended.")
        account = await self._accounts.get(account_id)
        await self.check_second_factor(account, code)
        await self._limits.give_back(*buckets)
        if self._passwords.needs_rehash(stored):
            await self._accounts.store_password(account_id, password)
        return account

    async def _check_password(self, actor: Actor, password: str) -> None:
        bucket = Bucket(f"password:{actor.account_id}", REAUTHENTICATION)
        await self._limits.take(bucket)
        stored = await self._pool.fetchval(
            "SELECT password_hash FROM vault.credentials WHERE account_id = $1", actor.account_id
        )
        if not await self._passwords.verify(stored, password):
            raise InvalidCredentials("The password is wrong.")
        await self._limits.give_back(bucket)

    async def reauthenticate(self, actor: Actor, password: str, code: str | None) -> None:
        """Let a signed-in caller prove password and second factor again.

        Raises:
            RateLimited, InvalidCredentials, SecondFactorRequired, InvalidSecondFactor.
        """
        await self._check_password(actor, password)
        bucket = Bucket(f"code:{actor.account_id}", REAUTHENTICATION)
        await self._limits.take(bucket)
        await self.check_second_factor(await self._accounts.get(actor.account_id), code)
        await self._limits.give_back(bucket)

    async def check_second_factor(self, account: AccountRow, code: str | None) -> None:
        """Accept the code where the account asks for one.

        Raises:
            SecondFactorRequired, InvalidSecondFactor.
        """
        if not account.second_factor:
            return
        if code is None:
            raise SecondFactorRequired("Enter the one-time code of your authenticator.")
        await self._second_factor.verify(account.account_id, account.tenant_id, code)
