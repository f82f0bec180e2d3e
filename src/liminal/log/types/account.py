"""Accounts, how they sign in, and what they may do. Credentials stay in the vault, never on the log."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from liminal.log.event import Event
from liminal.log.types.common import By, Sha256, Text

Role = Literal["user", "admin"]


class AccountEvent(Event):
    """Any event of one account, on the stream ``account-<account_id>``."""

    category = "account"

    account_id: UUID
    """The account."""


class AccountCreated(AccountEvent):
    """Somebody signed up, or was added by an administrator or an identity provider."""

    type = "account.created"

    tenant_id: str
    """The tenant it belongs to."""
    email: Text
    """Address as the person wrote it."""
    display_name: Text | None = None
    """Name to be shown."""
    role: Role = "user"
    """What it may do."""
    plan: str = "free"
    """Which limits apply."""
    email_claim: Sha256 | None = None
    """Hash of the claim that made the address its own."""
    origin: Literal["signup", "admin", "provider"] = "signup"
    """How it came to be."""


class AccountVerified(AccountEvent):
    """The address was shown to be the person's own."""

    type = "account.verified"

    email: Text
    """The address that was verified."""
    method: Literal["link", "code", "provider", "admin"]
    """How."""


class AccountRenamed(AccountEvent):
    """The display name changed."""

    type = "account.renamed"

    display_name: Text
    """The new name."""


class AccountEmailChanged(AccountEvent):
    """The address changed."""

    type = "account.email_changed"

    email: Text
    """The new address."""
    email_claim: Sha256
    """Hash of the claim of the new address."""


class AccountPasswordChanged(AccountEvent):
    """The password changed; the hash of the new one is in the vault."""

    type = "account.password_changed"

    sessions_revoked: bool = True
    """Whether the other sessions were ended with it."""


class AccountRoleChanged(AccountEvent):
    """What the account may do changed."""

    type = "account.role_changed"

    role: Role
    """The new role."""
    previous: Role
    """The role before."""


class AccountPlanChanged(AccountEvent):
    """The limits that apply changed."""

    type = "account.plan_changed"

    plan: str
    """The new plan."""
    previous: str
    """The plan before."""


class AccountSuspended(AccountEvent):
    """The account is shut out until it is reinstated."""

    type = "account.suspended"

    reason: Text | None = None
    """Why."""


class AccountReinstated(AccountEvent):
    """A suspended account may sign in again."""

    type = "account.reinstated"

    reason: Text | None = None
    """Why."""


class AccountDeleted(AccountEvent):
    """The account is gone; erasure.requested asks for its data to go too."""

    type = "account.deleted"

    by: By = "user"
    """Who deleted it."""


class AccountSessionCreated(AccountEvent):
    """Somebody signed in."""

    type = "account.session.created"

    session_id: UUID
    """The session; its secret is in the vault."""
    kind: Literal["browser", "api"]
    """A cookie session, or a family of refresh tokens."""
    user_agent: Text | None = None
    """What the client said it is."""
    address: Text | None = None
    """Network address it came from."""


class AccountSessionRevoked(AccountEvent):
    """A session, or every session, was ended before its time."""

    type = "account.session.revoked"

    session_id: UUID | None = None
    """The session; None for all of them."""
    reason: Literal["logout", "logout_all", "password_changed", "suspended", "deleted", "admin", "reuse"]
    """Why."""


class AccountRefreshReused(AccountEvent):
    """A refresh token came back after its use: its whole family was revoked."""

    type = "account.refresh.reused"

    family_id: UUID
    """The family of tokens."""
    address: Text | None = None
    """Network address that sent it."""


class AccountSecondFactorEnabled(AccountEvent):
    """A second factor is asked for from now on."""

    type = "account.second_factor.enabled"

    method: Literal["totp"]
    """Which kind."""


class AccountSecondFactorDisabled(AccountEvent):
    """The second factor is no longer asked for."""

    type = "account.second_factor.disabled"

    method: Literal["totp"]
    """Which kind."""
    by: By = "user"
    """Who switched it off."""


class AccountSecondFactorRecovered(AccountEvent):
    """A recovery code was used in place of the second factor."""

    type = "account.second_factor.recovered"

    remaining: int
    """Recovery codes that are left."""


class AccountApiKeyCreated(AccountEvent):
    """An API key was made; only its hash is kept, in the vault."""

    type = "account.api_key.created"

    key_id: UUID
    """The key."""
    name: Text
    """What its owner calls it."""
    scopes: list[str]
    """What it may do."""
    expires_at: datetime | None = None
    """When it stops working by itself."""


class AccountApiKeyRevoked(AccountEvent):
    """An API key stopped working."""

    type = "account.api_key.revoked"

    key_id: UUID
    """The key."""


class TenantEvent(Event):
    """Any event of one tenant, on the stream ``tenant-<tenant_id>``."""

    category = "tenant"

    tenant_id: str
    """The tenant."""


class TenantCreated(TenantEvent):
    """A tenant came to be."""

    type = "tenant.created"

    name: Text
    """What it is called."""
    plan: str = "free"
    """Which limits apply."""


class TenantRenamed(TenantEvent):
    """A tenant's name changed."""

    type = "tenant.renamed"

    name: Text
    """The new name."""


class ClaimEvent(Event):
    """A value that only one may hold, on the stream ``claim-<claim>`` keyed by the claim itself."""

    category: ClassVar[str] = "claim"

    claim: Sha256
    """Keyed hash of kind and value; the value itself is not on the log."""
    kind: str
    """What sort of value: email, slug."""
    holder: str
    """Who holds it: usually an account's id."""


class ClaimMade(ClaimEvent):
    """The value was asked for; the first of two such events at one version wins."""

    type = "claim.made"


class ClaimReleased(ClaimEvent):
    """The holder gave the value up."""

    type = "claim.released"
