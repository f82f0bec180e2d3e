"""Bodies and replies under /v1/auth."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field, SecretStr

from liminal.api.schema import Body, Page, View
from liminal.identity.actor import Role

_EMAIL = r"^[^@\s]{1,64}@[^@\s]{1,189}$"
_PASSWORD = Field(min_length=1, max_length=1024, examples=["correct horse battery staple"])
_EXAMPLE_ID = "0199f1c2-8a3b-7c4d-9e5f-0a1b2c3d4e5f"


class Signup(Body):
    """A new account."""

    email: str = Field(pattern=_EMAIL, max_length=254, examples=["ada@example.org"])
    password: SecretStr = _PASSWORD
    display_name: str | None = Field(default=None, max_length=100, examples=["Ada"])


class Login(Body):
    """E-mail and password, and the one-time code where the account asks for one."""

    email: str = Field(max_length=254, examples=["ada@example.org"])
    password: SecretStr = _PASSWORD
    otp: str | None = Field(
        default=None, max_length=40, description="one-time or recovery code", examples=["492039"]
    )
    client: Literal["browser", "api"] = Field(
        default="browser", description="`api` answers with tokens instead of a cookie"
    )


class Refresh(Body):
    """The refresh token of the last reply; it works once."""

    refresh_token: str = Field(max_length=200)


class PasswordChange(Body):
    """The password as it is and as it shall be."""

    current: SecretStr = _PASSWORD
    new: SecretStr = _PASSWORD
    otp: str | None = Field(default=None, max_length=40, description="where there is a second factor")


class PasswordReset(Body):
    """A reset token that an admin gave out, and the new password."""

    token: str = Field(max_length=200)
    new: SecretStr = _PASSWORD
    otp: str | None = Field(default=None, max_length=40)


class Reauthenticate(Body):
    """The password again, so that the next minutes allow changes to credentials."""

    password: SecretStr = _PASSWORD
    otp: str | None = Field(default=None, max_length=40)


class NewApiKey(Body):
    """What a key is for and what it may do."""

    name: str = Field(min_length=1, max_length=100, examples=["nightly export"])
    scopes: list[
        Literal["chat", "conversations:read", "conversations:write", "feedback", "models", "admin"]
    ] = Field(min_length=1, max_length=6, examples=[["chat", "models"]])
    expires_in_days: int | None = Field(default=None, ge=1, le=3650)


class Code(Body):
    """A one-time code of the authenticator that is being set up."""

    code: str = Field(pattern=r"^[0-9]{6}$", examples=["492039"])


class Account(View):
    """An account as its holder sees it.

    owes_second_factor: one is demanded here; until it is set up, all else is refused.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _EXAMPLE_ID,
                    "email": "ada@example.org",
                    "display_name": "Ada",
                    "role": "user",
                    "tenant_id": "00000000-0000-4000-8000-000000000001",
                    "plan": "free",
                    "created_at": "2026-11-23T17:00:00Z",
                    "second_factor": False,
                    "owes_second_factor": False,
                }
            ]
        }
    )

    id: UUID
    email: str
    display_name: str | None
    role: Role
    tenant_id: str
    plan: str
    created_at: datetime
    second_factor: bool
    owes_second_factor: bool


class AccountReply(View):
    """The signed-in account; a browser gets the session cookie with it."""

    account: Account


class Tokens(View):
    """A short access token (send it as ``Authorization: Bearer``) and what renews it, once."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int = Field(description="seconds until the access token expires")


class LoginReply(View):
    """``account`` always; ``tokens`` for ``client: api``."""

    account: Account
    access_token: str | None = None
    refresh_token: str | None = None
    token_type: Literal["Bearer"] | None = None
    expires_in: int | None = None


class Session(View):
    """A place where the account is signed in: a browser session or a token family."""

    id: UUID
    kind: Literal["session", "token"]
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    user_agent: str
    address: str
    current: bool


class SessionPage(Page[Session]):
    """All sessions that are alive."""


class ApiKey(View):
    """An API key without its secret."""

    id: UUID
    name: str
    hint: str = Field(description="the first characters, to recognise it by")
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


class ApiKeyPage(Page[ApiKey]):
    """The keys that are alive."""


class CreatedApiKey(View):
    """A fresh key; ``key`` is shown here and never again."""

    item: ApiKey
    key: str


class SecondFactorSetup(View):
    """Put ``uri`` into an authenticator (as a QR code), then confirm with its code."""

    uri: str
    secret: str


class RecoveryCodes(View):
    """Each replaces a one-time code once; shown here and never again."""

    recovery_codes: list[str]


class SocketTicket(View):
    """Opens one websocket within ``expires_in`` seconds."""

    ticket: str
    expires_in: int
