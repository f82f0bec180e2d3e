"""The way of a request through an endpoint: who, may they, how often, is it well formed, whose is it.

The order is part of the security: nobody learns whether a body is valid, or a thing exists, before it is
known that they may ask.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from liminal.api.call import Call
from liminal.api.endpoint import Endpoint
from liminal.api.errors import InvalidRequest, UnsupportedMediaType
from liminal.api.reply import JSON, model_response
from liminal.api.services import Services
from liminal.identity.actor import Actor
from liminal.identity.authorize import authorize
from liminal.identity.cookies import require_same_origin, session_token
from liminal.identity.errors import IdentityError, InvalidToken, NotAuthenticated
from liminal.identity.limits import ANONYMOUS, Bucket, plan_of

SLOT_LEASE = 660.0
"""Seconds after which a slot of a process that died is free; longer than any turn."""

UNCOUNTED = frozenset({"health.read"})
"""What a supervisor or load balancer asks all the time."""


def routes_of(endpoints: Sequence[Endpoint]) -> list[Route]:
    """One route a path, with all its methods."""
    by_path: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, []).append(endpoint)
    return [
        Route(
            path,
            _handler({endpoint.method: endpoint for endpoint in group}),
            methods=[endpoint.method for endpoint in group],
            max_body_size=max(endpoint.max_body for endpoint in group),
        )
        for path, group in by_path.items()
    ]


def _handler(by_method: dict[Any, Endpoint]) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        # Starlette adds HEAD where there is a GET
        return await _dispatch(by_method.get(request.method) or by_method["GET"], request)

    return handle


async def _dispatch(endpoint: Endpoint, request: Request) -> Response:
    services: Services = request.app.state.services
    call = await _identified(endpoint, request, services)
    authorize(call.maybe_actor, endpoint.action)
    body = b"" if endpoint.upload else await request.body()
    arguments = _arguments(endpoint, request, body)
    if endpoint.resource is not None:
        resource = await endpoint.resource(call)
        authorize(call.maybe_actor, endpoint.action, resource)
        if "resource" in endpoint.wants:
            arguments["resource"] = resource

    async def work() -> Response:
        async with AsyncExitStack() as stack:
            if endpoint.slot is not None:
                await stack.enter_async_context(_slot(call, endpoint.slot))
            return _response(endpoint, call, await endpoint.handler(call, **arguments))

    if endpoint.method == "POST" and not endpoint.upload:
        return await services.idempotency.answer(request, _caller(call), body, work)
    return await work()


async def authenticate(request: Request, services: Services) -> Actor | None:
    """Who makes the request, None for nobody.

    A bearer token is never overridden by a cookie, and a wrong one is refused even where none is needed.

    Raises:
        InvalidToken, CrossSiteRequest.
    """
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise InvalidToken("The Authorization header has to be `Bearer <token>`.")
        actor = await services.identity.actor_of_bearer(token.strip())
        if actor is None:
            raise InvalidToken("This token or key is unknown, expired or revoked.")
        return actor
    token = session_token(request)
    require_same_origin(request, request.method, by_cookie=token is not None)
    return None if token is None else await services.identity.sessions.actor(token)


async def _identified(endpoint: Endpoint, request: Request, services: Services) -> Call:
    """The call with its actor, counted against the rate of the account, or of the address for nobody."""
    call = Call(request, services, None)
    limits = services.identity.limits
    of_address = Bucket(f"requests:address:{call.address}", ANONYMOUS)
    try:
        call.maybe_actor = await authenticate(request, services)
    except IdentityError:
        # a wrong credential counts like none: guessing tokens is no faster than asking without
        await limits.take(of_address)
        raise
    actor = call.maybe_actor
    if actor is not None:
        await limits.take(Bucket(f"requests:account:{actor.account_id}", plan_of(actor.plan).requests))
    elif endpoint.action not in UNCOUNTED:
        await limits.take(of_address)
    return call


def _slot(call: Call, name: str) -> Any:
    if call.maybe_actor is None:
        raise NotAuthenticated("Sign in first.")
    actor = call.maybe_actor
    limit = plan_of(actor.plan).turns_at_once
    return call.services.identity.limits.slot(f"{name}:{actor.account_id}", limit, SLOT_LEASE)


def _caller(call: Call) -> str:
    return str(call.maybe_actor.account_id) if call.maybe_actor else f"anonymous {call.address}"


def _arguments(endpoint: Endpoint, request: Request, body: bytes) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if endpoint.query is not None:
        raw = {key: request.query_params.getlist(key)[-1] for key in request.query_params}
        arguments["query"] = _validated(endpoint.query, "query", lambda model: model.model_validate(raw))
    if endpoint.json is not None:
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != JSON:
            raise UnsupportedMediaType("The body has to be application/json.")
        arguments["json"] = _validated(endpoint.json, "body", lambda model: model.model_validate_json(body))
    return arguments


def _validated(
    model: type[BaseModel], where: str, validate: Callable[[type[BaseModel]], BaseModel]
) -> BaseModel:
    try:
        return validate(model)
    except ValidationError as error:
        problems = [
            {"field": ".".join([where, *map(str, problem["loc"])]), "problem": problem["msg"]}
            for problem in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        first = problems[0]
        raise InvalidRequest(f"{first['field']}: {first['problem']}", fields=problems[:20]) from error


def _response(endpoint: Endpoint, call: Call, result: Any) -> Response:
    match result:
        case Response():
            response = result
        case BaseModel():
            response = model_response(result, endpoint.status)
        case None:
            response = Response(status_code=endpoint.status)
        case _:
            raise TypeError(f"{endpoint.name} returned {type(result).__name__}")
    call.send_cookies(response)
    return response
