"""Errors of the HTTP surface, and the one table from error codes to statuses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import asyncpg
import structlog
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from liminal.api.reply import json_response
from liminal.errors import LiminalError

log = structlog.get_logger(__name__)


class ApiError(LiminalError):
    """Raised by the HTTP surface itself."""

    code: ClassVar[str] = "api_error"


class InvalidRequest(ApiError):
    """The body, query or a header does not have the documented form; ``details`` names the fields."""

    code: ClassVar[str] = "invalid_request"


class NotFound(ApiError):
    """There is no such thing, or it is not the caller's to see."""

    code: ClassVar[str] = "not_found"


class UnsupportedMediaType(ApiError):
    """A body that is not ``application/json``."""

    code: ClassVar[str] = "unsupported_media_type"


class UnknownHost(ApiError):
    """The Host header names an address that this server was not told is its own."""

    code: ClassVar[str] = "unknown_host"


class IdempotencyConflict(ApiError):
    """A request with this ``Idempotency-Key`` is still being worked on."""

    code: ClassVar[str] = "idempotency_in_progress"


class IdempotencyMismatch(ApiError):
    """This ``Idempotency-Key`` was used for another body."""

    code: ClassVar[str] = "idempotency_key_reused"


class NotReady(ApiError):
    """A part this request needs is not running or not caught up; try again."""

    code: ClassVar[str] = "not_ready"


class TurnEnded(ApiError):
    """The turn came to its end without an answer; ``details["reason"]`` says why."""

    code: ClassVar[str] = "turn_ended"


STATUS_OF_CODE: Mapping[str, int] = {
    "invalid_request": 422,
    "bad_cursor": 422,
    "event_malformed": 422,
    "owner_erased": 409,
    "event_too_large": 413,
    "not_found": 404,
    "method_not_allowed": 405,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "unknown_host": 421,
    "idempotency_in_progress": 409,
    "idempotency_key_reused": 422,
    "not_ready": 503,
    "turn_ended": 502,
    # identity
    "not_authenticated": 401,
    "invalid_credentials": 401,
    "second_factor_required": 401,
    "invalid_second_factor": 401,
    "invalid_token": 401,
    "token_replayed": 401,
    "account_suspended": 401,
    "reauthentication_required": 403,
    "second_factor_missing": 403,
    "forbidden": 403,
    "insufficient_scope": 403,
    "cross_site_request": 403,
    "email_taken": 409,
    "second_factor_active": 409,
    "second_factor_inactive": 409,
    "weak_password": 422,
    "rate_limited": 429,
    "too_many_at_once": 429,
    # learning
    "skill_ended": 409,
    # steering
    "artifact_invalid": 422,
    "artifact_kind_unknown": 422,
    "artifact_exists": 409,
    "artifact_required": 409,
    "patch_stale": 409,
    "patch_decided": 409,
    "patch_not_backtested": 409,
    # log and projections
    "version_conflict": 409,
    "claim_taken": 409,
    "stale": 503,
    "broker_unavailable": 503,
    "append_unknown": 503,
    "database_unavailable": 503,
    "redis_unavailable": 503,
    "projection_unknown": 404,
    "projection_state": 409,
    "rebuild_running": 409,
    "rebuild_stopped": 409,
    "switch_blocked": 409,
    "nothing_parked": 404,
    # learning
    "run_ended": 409,
    "version_state": 409,
    "gate_not_passed": 409,
}
"""A code that is not listed answers 500: a listed one is part of the public contract."""

RETRY_AFTER_DETAIL = "retry_after"


def envelope(code: str, message: str, details: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The one error form of this API."""
    return {"error": {"code": code, "message": message, "details": dict(details or {})}}


def error_response(code: str, message: str, details: Mapping[str, Any], status: int) -> Response:
    """An error reply; ``retry_after`` in the details (seconds) becomes the ``Retry-After`` header."""
    headers: dict[str, str] = {}
    if RETRY_AFTER_DETAIL in details:
        headers["Retry-After"] = str(max(1, math.ceil(float(details[RETRY_AFTER_DETAIL]))))
    elif status == 503:
        headers["Retry-After"] = "2"
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="liminal"'
    return json_response(envelope(code, message, details), status, headers)


def on_liminal_error(_request: Request, error: Exception) -> Response:
    """Answer an error that was raised on purpose."""
    assert isinstance(error, LiminalError)
    status = STATUS_OF_CODE.get(error.code, 500)
    if status == 500:
        log.error("request failed", code=error.code, message=error.message, exc_info=error)
        return error_response("internal", "Something went wrong on our side.", {}, 500)
    return error_response(error.code, error.message, error.details, status)


_HTTP_CODES: Mapping[int, tuple[str, str]] = {
    400: ("invalid_request", "The request is malformed."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not know that method."),
    413: ("body_too_large", "The body is larger than this address takes."),
}


def on_http_exception(_request: Request, error: Exception) -> Response:
    """Answer what Starlette itself refuses (no route, wrong method, body too large)."""
    assert isinstance(error, HTTPException)
    code, message = _HTTP_CODES.get(error.status_code, ("http_error", error.detail))
    response = error_response(code, message, {}, error.status_code)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


UNAVAILABLE: Mapping[type[Exception], tuple[str, str]] = {
    RedisConnectionError: ("redis_unavailable", "Redis does not answer."),
    RedisTimeoutError: ("redis_unavailable", "Redis does not answer."),
    asyncpg.PostgresConnectionError: ("database_unavailable", "The database does not answer."),
    asyncpg.OperatorInterventionError: ("database_unavailable", "The database is being stopped."),
    asyncpg.InsufficientResourcesError: ("database_unavailable", "The database has no room for more."),
    asyncpg.InterfaceError: ("database_unavailable", "The connection to the database was lost."),
    asyncpg.UndefinedTableError: ("not_ready", "The projector has not made the read models yet."),
    ConnectionError: ("not_ready", "A part of the installation does not answer."),
    TimeoutError: ("not_ready", "A part of the installation does not answer in time."),
}
"""What a part that is away raises in passing, and what the client is told: to come back."""


def on_unavailable(_request: Request, error: Exception) -> Response:
    """Answer that a part is away; what it is stands in our logs."""
    code, message = next(answer for kind, answer in UNAVAILABLE.items() if isinstance(error, kind))
    log.warning("part unavailable", code=code, error=f"{type(error).__name__}: {error}")
    return error_response(code, message, {}, 503)


def on_unexpected(_request: Request, error: Exception) -> Response:
    """Answer a defect; the traceback goes to our logs and never to the client."""
    log.error("request failed unexpectedly", exc_info=error)
    return error_response("internal", "Something went wrong on our side.", {}, 500)
