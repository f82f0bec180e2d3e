"""Errors of the identity room."""

from __future__ import annotations

from typing import ClassVar

from liminal.errors import LiminalError


class IdentityError(LiminalError):
    """Root of this room's errors."""

    code: ClassVar[str] = "identity_error"


class NotAuthenticated(IdentityError):
    """No credential, or one that is unknown, expired or revoked."""

    code: ClassVar[str] = "not_authenticated"


class InvalidCredentials(IdentityError):
    """E-mail and password do not belong together; which of the two is wrong is never said."""

    code: ClassVar[str] = "invalid_credentials"


class SecondFactorRequired(IdentityError):
    """The password is right and the account asks for a one-time code too."""

    code: ClassVar[str] = "second_factor_required"


class SecondFactorMissing(IdentityError):
    """This installation demands a second factor of the account, which has none yet."""

    code: ClassVar[str] = "second_factor_missing"


class InvalidSecondFactor(IdentityError):
    """The one-time or recovery code is wrong, expired or used."""

    code: ClassVar[str] = "invalid_second_factor"


class SecondFactorActive(IdentityError):
    """The account has a second factor already; remove it before setting up another."""

    code: ClassVar[str] = "second_factor_active"


class SecondFactorInactive(IdentityError):
    """The account has no second factor, or setting it up was not begun."""

    code: ClassVar[str] = "second_factor_inactive"


class InvalidToken(IdentityError):
    """An access or refresh token that is malformed, expired, revoked or not ours."""

    code: ClassVar[str] = "invalid_token"


class TokenReplayed(IdentityError):
    """A refresh token was used a second time; its whole family is revoked."""

    code: ClassVar[str] = "token_replayed"


class AccountSuspended(IdentityError):
    """The account is suspended."""

    code: ClassVar[str] = "account_suspended"


class Forbidden(IdentityError):
    """The caller is known and may not do this."""

    code: ClassVar[str] = "forbidden"


class InsufficientScope(Forbidden):
    """The API key was not given the scope that this needs."""

    code: ClassVar[str] = "insufficient_scope"


class ReauthenticationRequired(Forbidden):
    """The password was entered too long ago for this; confirm it at /v1/auth/reauthenticate."""

    code: ClassVar[str] = "reauthentication_required"


class HiddenResource(Forbidden):
    """The resource belongs to someone else: to this caller it does not exist."""

    code: ClassVar[str] = "not_found"


class CrossSiteRequest(Forbidden):
    """A state-changing request that does not prove it comes from our own pages."""

    code: ClassVar[str] = "cross_site_request"


class EmailTaken(IdentityError):
    """Another account holds this e-mail address."""

    code: ClassVar[str] = "email_taken"


class WeakPassword(IdentityError):
    """The password is too short, too long, common, or made of the account's own details."""

    code: ClassVar[str] = "weak_password"


class RateLimited(IdentityError):
    """Too many requests; ``details.retry_after`` is in seconds."""

    code: ClassVar[str] = "rate_limited"


class TooManyAtOnce(IdentityError):
    """All concurrency slots of the account are in use."""

    code: ClassVar[str] = "too_many_at_once"


class NoSuchAccount(IdentityError):
    """There is no account with this id or e-mail."""

    code: ClassVar[str] = "not_found"
