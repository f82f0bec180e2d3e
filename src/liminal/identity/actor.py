"""The caller of an action."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

Demand = Literal["nobody", "admins", "everyone"]
"""Whose accounts have to have a second factor."""


class Role(StrEnum):
    """What an account is in its tenant."""

    USER = "user"
    ADMIN = "admin"


class Credential(StrEnum):
    """What proved who the caller is."""

    SESSION = "session"
    TOKEN = "token"
    API_KEY = "api_key"


@dataclass(frozen=True, slots=True)
class Actor:
    """An authenticated caller, as its account stood when this request began.

    Attributes:
        credential_id: the session, refresh family or API key that was presented.
        authenticated_at: when the password (and second factor) were last entered; None for API keys.
        scopes: what an API key may do; None when the credential is not limited.
        owes_second_factor: it has to have one here, and has none: all that it may do is to set one up.
    """

    account_id: UUID
    tenant_id: str
    role: Role
    plan: str
    credential: Credential
    credential_id: UUID
    authenticated_at: datetime | None
    scopes: frozenset[str] | None = None
    suspended: bool = False
    owes_second_factor: bool = False


def owes_second_factor(role: Role, has_one: bool, demand: Demand) -> bool:
    """Whether an account of this role has to have a second factor, and has none yet."""
    demanded = demand == "everyone" or (demand == "admins" and role is Role.ADMIN)
    return demanded and not has_one
