"""One function decides everywhere: ``authorize(actor, action, resource)`` over one table of rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Protocol
from uuid import UUID

from liminal.identity.actor import Actor, Role
from liminal.identity.errors import (
    AccountSuspended,
    Forbidden,
    HiddenResource,
    InsufficientScope,
    NotAuthenticated,
    ReauthenticationRequired,
    SecondFactorMissing,
)

SYSTEM_TENANT = "00000000-0000-4000-8000-000000000001"
"""The tenant that runs this installation: its first account is its admin, and signup joins it."""

FRESH = timedelta(minutes=15)
"""How long a password entry counts as recent for actions that change credentials."""

SCOPES: Mapping[str, str] = {
    "chat": "send messages and read the answers",
    "conversations:read": "list, read and search conversations",
    "conversations:write": "create, rename, archive and delete conversations",
    "feedback": "give, change and list feedback",
    "models": "list models",
    "admin": "what the account's admin role allows",
}
"""What an API key can be limited to."""


class Owned(Protocol):
    """Anything a rule can look at: it belongs to an account of a tenant."""

    @property
    def owner_id(self) -> UUID | None: ...

    @property
    def tenant_id(self) -> str: ...


class Audience(Enum):
    """Who may do an action."""

    PUBLIC = auto()
    """anyone"""
    ACCOUNT = auto()
    """any signed-in account, about itself: the action names no resource"""
    OWNER = auto()
    """the account that owns the resource"""
    TENANT_ADMIN = auto()
    """an admin of the resource's tenant"""
    OPERATOR = auto()
    """an admin of the system tenant"""


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table.

    Attributes:
        scope: what an API key must have been given; None means that no API key may do this.
        fresh: the password must have been entered within :data:`FRESH`.
        unproven: also for who still owes the second factor that is demanded here.
    """

    audience: Audience
    scope: str | None = None
    fresh: bool = False
    unproven: bool = False


_PUBLIC = Rule(Audience.PUBLIC)
_ACCOUNT = Rule(Audience.ACCOUNT)
_FRESH = Rule(Audience.ACCOUNT, fresh=True)
_UNPROVEN = Rule(Audience.ACCOUNT, unproven=True)
_OPERATOR = Rule(Audience.OPERATOR, scope="admin")

RULES: dict[str, Rule] = {
    "health.read": _PUBLIC,
    "document.read": _PUBLIC,
    "status.read": _PUBLIC,
    "account.signup": _PUBLIC,
    "account.login": _PUBLIC,
    "account.refresh": _PUBLIC,
    "account.reset_password": _PUBLIC,
    "account.read": Rule(Audience.ACCOUNT, scope="conversations:read", unproven=True),
    "account.logout": _UNPROVEN,
    "account.reauthenticate": _UNPROVEN,
    "account.change_password": _UNPROVEN,
    "settings.read": Rule(Audience.ACCOUNT, scope="conversations:read", unproven=True),
    "settings.change": _ACCOUNT,
    "session.list": _ACCOUNT,
    "session.revoke": Rule(Audience.OWNER, fresh=True),
    "api_key.list": _ACCOUNT,
    "api_key.create": _FRESH,
    "api_key.revoke": Rule(Audience.OWNER),
    "second_factor.begin": Rule(Audience.ACCOUNT, fresh=True, unproven=True),
    "second_factor.confirm": Rule(Audience.ACCOUNT, fresh=True, unproven=True),
    "second_factor.remove": _FRESH,
    "socket.open": Rule(Audience.ACCOUNT, scope="chat"),
    "model.list": Rule(Audience.ACCOUNT, scope="models"),
    "conversation.list": Rule(Audience.ACCOUNT, scope="conversations:read"),
    "conversation.search": Rule(Audience.ACCOUNT, scope="conversations:read"),
    "conversation.create": Rule(Audience.ACCOUNT, scope="conversations:write"),
    "conversation.read": Rule(Audience.OWNER, scope="conversations:read"),
    "conversation.change": Rule(Audience.OWNER, scope="conversations:write"),
    "conversation.delete": Rule(Audience.OWNER, scope="conversations:write"),
    "chat.turn": Rule(Audience.ACCOUNT, scope="chat"),
    "embedding.create": Rule(Audience.ACCOUNT, scope="chat"),
    "feedback.list": Rule(Audience.ACCOUNT, scope="feedback"),
    "feedback.give": Rule(Audience.OWNER, scope="feedback"),
    "feedback.change": Rule(Audience.OWNER, scope="feedback"),
    "feedback.withdraw": Rule(Audience.OWNER, scope="feedback"),
    "learned.read": Rule(Audience.ACCOUNT, scope="feedback"),
    "learned.change": Rule(Audience.OWNER, scope="feedback"),
    "skill.administer": Rule(Audience.TENANT_ADMIN, scope="admin"),
    "adapter.list": Rule(Audience.ACCOUNT, scope="feedback"),
    "adapter.read": Rule(Audience.OWNER, scope="feedback"),
    "adapter.change": Rule(Audience.OWNER, scope="feedback"),
    "training.list": Rule(Audience.ACCOUNT, scope="feedback"),
    "lineage.read": Rule(Audience.OWNER, scope="feedback"),
    "learning.read": Rule(Audience.TENANT_ADMIN, scope="admin"),
    "learning.operate": Rule(Audience.TENANT_ADMIN, scope="admin"),
    "artifact.read": Rule(Audience.TENANT_ADMIN, scope="admin"),
    "artifact.change": Rule(Audience.TENANT_ADMIN, scope="admin"),
    "patch.decide": Rule(Audience.TENANT_ADMIN, scope="admin"),
    "account.administer": Rule(Audience.TENANT_ADMIN, scope="admin"),
    "projection.read": _OPERATOR,
    "projection.operate": _OPERATOR,
    "log.read": _OPERATOR,
    "log.decrypt": Rule(Audience.OPERATOR, fresh=True),
}
"""Every action there is. An endpoint or socket command whose action is missing cannot be declared."""


def authorize(actor: Actor | None, action: str, resource: Owned | None = None) -> None:
    """Return when ``actor`` may do ``action`` (to ``resource``, where it has one), else raise.

    Without a resource only what does not depend on one is decided, so that nobody is told whether a
    body is valid, or a thing exists, before it is known that they may ask.

    Raises:
        NotAuthenticated, AccountSuspended, SecondFactorMissing, InsufficientScope,
        ReauthenticationRequired, Forbidden,
        HiddenResource (someone else's: answered as if it did not exist).
        KeyError: the action is not in the table.
    """
    rule = RULES[action]
    if rule.audience is Audience.PUBLIC:
        return
    if actor is None:
        raise NotAuthenticated("Sign in first.")
    if actor.suspended:
        raise AccountSuspended("This account is suspended.")
    if actor.owes_second_factor and not rule.unproven:
        raise SecondFactorMissing("Set up a second factor first: it is demanded here.")
    if actor.scopes is not None:
        if rule.scope is None:
            raise InsufficientScope("An API key cannot do this; sign in.", action=action)
        if rule.scope not in actor.scopes:
            raise InsufficientScope(f"The API key lacks the scope {rule.scope!r}.", scope=rule.scope)
    _check_role(actor, rule)
    if rule.fresh and not _is_fresh(actor):
        raise ReauthenticationRequired("Enter your password again to do this.")
    if resource is not None:
        _check_resource(actor, rule, resource)


def _check_role(actor: Actor, rule: Rule) -> None:
    if rule.audience in (Audience.TENANT_ADMIN, Audience.OPERATOR) and actor.role is not Role.ADMIN:
        raise Forbidden("This is for admins.")
    if rule.audience is Audience.OPERATOR and actor.tenant_id != SYSTEM_TENANT:
        raise Forbidden("This is for the admins of this installation.")


def _check_resource(actor: Actor, rule: Rule, resource: Owned) -> None:
    hidden = HiddenResource("There is no such thing, or it is not yours.")
    if rule.audience is not Audience.OPERATOR and resource.tenant_id != actor.tenant_id:
        raise hidden
    if rule.audience is Audience.OWNER and resource.owner_id != actor.account_id:
        raise hidden


def _is_fresh(actor: Actor) -> bool:
    return actor.authenticated_at is not None and datetime.now(UTC) - actor.authenticated_at <= FRESH
