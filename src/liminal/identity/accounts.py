"""Accounts: signup, and what an admin does to them.

The log decides who holds an e-mail address (a claim) and who is the first admin (another claim); the vault
keeps the password hash. Signup writes a pending row, wins the claim, appends ``account.created`` and then
makes the row count, so a crash in between leaves an address that the next signup with it takes over.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import NAMESPACE_URL, UUID

from asyncpg import Record

from liminal.identity.actor import Role
from liminal.identity.authorize import SYSTEM_TENANT
from liminal.identity.errors import EmailTaken, NoSuchAccount
from liminal.identity.journal import Journal
from liminal.identity.limits import PLANS
from liminal.identity.passwords import Passwords, check_password_policy
from liminal.identity.sessions import Sessions
from liminal.identity.signals import Signals
from liminal.log.claims import normalized
from liminal.log.envelope import Meta
from liminal.log.errors import ClaimTaken
from liminal.log.events import (
    AccountCreated,
    AccountPlanChanged,
    AccountReinstated,
    AccountRoleChanged,
    AccountSessionRevoked,
    AccountSuspended,
    TenantCreated,
)
from liminal.log.ids import derived_id, new_id
from liminal.log.log import Log
from liminal.logging import current_correlation
from liminal.storage.postgres import Pool

FIRST_ADMIN = "first-admin"
PENDING_GRACE = "1 minute"
"""How long a signup that is under way keeps its address from the next one."""


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as the log and the vault know it."""

    account_id: UUID
    tenant_id: str
    email: str
    display_name: str | None
    role: Role
    plan: str
    created_at: datetime
    suspended: bool
    second_factor: bool

    @property
    def owner_id(self) -> UUID:
        """The account itself."""
        return self.account_id


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What an account begins with."""

    email: str
    password: str
    display_name: str | None = None
    role: Role = Role.USER
    tenant_id: str = SYSTEM_TENANT
    plan: str = "free"
    origin: Literal["signup", "admin"] = "signup"


_SELECT = """
    SELECT a.account_id, a.tenant_id, a.email, a.display_name, a.role, a.plan,
           a.created_at, c.suspended OR a.suspended OR a.deleted AS suspended,
           f.confirmed_at IS NOT NULL AS second_factor
    FROM read.accounts a
    JOIN vault.credentials c ON c.account_id = a.account_id AND NOT c.pending
    LEFT JOIN vault.second_factors f ON f.account_id = a.account_id
"""


def _row(row: Record) -> AccountRow:
    return AccountRow(
        account_id=row["account_id"],
        tenant_id=row["tenant_id"],
        email=row["email"],
        display_name=row["display_name"],
        role=Role(row["role"]),
        plan=row["plan"],
        created_at=row["created_at"],
        suspended=row["suspended"],
        second_factor=row["second_factor"],
    )


class Accounts:
    """Creates, finds and changes accounts."""

    def __init__(
        self,
        pool: Pool,
        log: Log,
        journal: Journal,
        passwords: Passwords,
        sessions: Sessions,
        signals: Signals,
    ) -> None:
        self._pool = pool
        self._log = log
        self._journal = journal
        self._passwords = passwords
        self._sessions = sessions
        self._signals = signals
        self._email_key = log.vault.subkey("e-mail lookup")

    def email_hash(self, email: str) -> bytes:
        """Keyed hash by which the vault finds an address."""
        return hmac.digest(self._email_key, normalized(email).encode(), hashlib.sha256)

    async def get(self, account_id: UUID) -> AccountRow:
        """One account. Raises NoSuchAccount."""
        row = await self._pool.fetchrow(_SELECT + "WHERE a.account_id = $1", account_id)
        if row is None:
            raise NoSuchAccount("There is no such account.")
        return _row(row)

    async def find(self, email: str) -> AccountRow:
        """The account with this e-mail. Raises NoSuchAccount."""
        row = await self._pool.fetchrow(_SELECT + "WHERE c.email_hash = $1", self.email_hash(email))
        if row is None:
            raise NoSuchAccount(f"There is no account with the e-mail {email}.")
        return _row(row)

    async def list(self, tenant_id: str | None = None) -> list[AccountRow]:
        """Accounts of a tenant, or all of them, oldest first."""
        rows = await self._pool.fetch(
            _SELECT + "WHERE $1::text IS NULL OR a.tenant_id = $1 ORDER BY a.created_at, a.account_id",
            tenant_id,
        )
        return [_row(row) for row in rows]

    async def create(self, new: NewAccount) -> AccountRow:
        """Make an account; the first one of a fresh system becomes its admin.

        Raises:
            WeakPassword, EmailTaken, Stale (the projector does not keep up), BrokerUnavailable.
        """
        check_password_policy(new.password, new.email, new.display_name)
        if new.plan not in PLANS:
            raise NoSuchAccount(f"There is no plan {new.plan!r}.", plan=new.plan)
        account_id = await self._reserve(new)
        role = new.role
        if role is Role.USER and new.tenant_id == SYSTEM_TENANT and await self._is_first(account_id):
            role = Role.ADMIN
        event = AccountCreated(
            account_id=account_id,
            tenant_id=new.tenant_id,
            email=new.email.strip(),
            display_name=new.display_name,
            role=role.value,
            plan=new.plan,
            origin=new.origin,
        )
        await self._ensure_tenant(new.tenant_id)
        await self._journal.write_and_wait(account_id, new.tenant_id, event)
        await self._pool.execute(
            "UPDATE vault.credentials SET pending = false WHERE account_id = $1", account_id
        )
        return await self.get(account_id)

    async def _ensure_tenant(self, tenant_id: str) -> None:
        """Say that a tenant came to be, before its first account does."""
        if await self._pool.fetchval("SELECT 1 FROM read.tenants WHERE tenant_id = $1", tenant_id):
            return
        name = "liminal" if tenant_id == SYSTEM_TENANT else tenant_id
        meta = Meta(
            owner=tenant_id,
            tenant=tenant_id,
            actor="system",
            stream=f"tenant-{tenant_id}",
            # of two first accounts at once both say so, under one id
            id=derived_id(NAMESPACE_URL, f"tenant {tenant_id}"),
            correlation=current_correlation(),
        )
        await self._log.append(TenantCreated(tenant_id=tenant_id, name=name), meta)

    async def _reserve(self, new: NewAccount) -> UUID:
        """A pending row whose account holds the e-mail's claim. Raises EmailTaken."""
        account_id = new_id()
        password_hash = await self._passwords.hash(new.password)
        await self._pool.execute(
            "INSERT INTO vault.credentials (account_id, email_hash, password_hash) VALUES ($1, $2, $3)",
            account_id,
            self.email_hash(new.email),
            password_hash,
        )
        try:
            await self._log.claim("email", new.email, str(account_id), tenant=new.tenant_id)
        except ClaimTaken as taken:
            await self._pool.execute("DELETE FROM vault.credentials WHERE account_id = $1", account_id)
            abandoned = await self._take_over(taken.claim, password_hash)
            if abandoned is None:
                raise EmailTaken("This e-mail address has an account.") from taken
            return abandoned
        return account_id

    async def _take_over(self, claim: str, password_hash: str) -> UUID | None:
        return await self._pool.fetchval(
            f"""UPDATE vault.credentials SET password_hash = $2, created_at = now()
                WHERE pending AND created_at < now() - interval '{PENDING_GRACE}'
                  AND account_id::text = (SELECT holder FROM read.claims WHERE claim_hash = $1)
                RETURNING account_id""",
            claim,
            password_hash,
        )

    async def _is_first(self, account_id: UUID) -> bool:
        held = await self._pool.fetchval("SELECT holder FROM read.claims WHERE kind = $1", FIRST_ADMIN)
        if held is not None:
            return held == str(account_id)
        try:
            await self._log.claim(FIRST_ADMIN, "system", str(account_id))
        except ClaimTaken:
            return False
        return True

    async def store_password(self, account_id: UUID, password: str) -> None:
        """Keep the hash of a new password."""
        await self._pool.execute(
            "UPDATE vault.credentials SET password_hash = $2, changed_at = now() WHERE account_id = $1",
            account_id,
            await self._passwords.hash(password),
        )

    async def suspend(self, account_id: UUID, *, by: str, reason: str | None = None) -> None:
        """Shut an account out, at once and everywhere: sessions, tokens, keys and sockets."""
        account = await self.get(account_id)
        # the vault first: whatever fails after it, the account is out
        await self._pool.execute(
            "UPDATE vault.credentials SET suspended = true WHERE account_id = $1", account_id
        )
        await self._sessions.end_all(account_id)
        await self._signals.revoked(account_id)
        await self._journal.write(
            account_id,
            account.tenant_id,
            AccountSessionRevoked(account_id=account_id, session_id=None, reason="suspended"),
            actor=by,
        )
        event = AccountSuspended(account_id=account_id, reason=reason)
        await self._journal.write_and_wait(account_id, account.tenant_id, event, actor=by)

    async def reinstate(self, account_id: UUID, *, by: str, reason: str | None = None) -> None:
        """Let a suspended account sign in again."""
        account = await self.get(account_id)
        event = AccountReinstated(account_id=account_id, reason=reason)
        await self._journal.write_and_wait(account_id, account.tenant_id, event, actor=by)
        await self._pool.execute(
            "UPDATE vault.credentials SET suspended = false WHERE account_id = $1", account_id
        )

    async def change_role(self, account_id: UUID, role: Role, *, by: str) -> None:
        """Make an account an admin of its tenant, or a plain user of it."""
        account = await self.get(account_id)
        event = AccountRoleChanged(account_id=account_id, role=role.value, previous=account.role.value)
        await self._journal.write_and_wait(account_id, account.tenant_id, event, actor=by)

    async def change_plan(self, account_id: UUID, plan: str, *, by: str) -> None:
        """Give an account the limits of another plan. Raises NoSuchAccount for a plan that does not exist."""
        if plan not in PLANS:
            raise NoSuchAccount(f"There is no plan {plan!r}.", plan=plan)
        account = await self.get(account_id)
        event = AccountPlanChanged(account_id=account_id, plan=plan, previous=account.plan)
        await self._journal.write_and_wait(account_id, account.tenant_id, event, actor=by)
