"""An endpoint: one row of the table from which routes, authorization and the OpenAPI document come.

A noun's file makes a :class:`Noun` and decorates its handlers::

    conversations = Noun("conversations")

    @conversations.route("PATCH", "/v1/conversations/{id:uuid}", action="conversation.change",
                         resource=conversation_of_path, reply=Conversation)
    async def change_conversation(call: Call, json: ConversationPatch, resource: Row) -> Conversation:
        '''Rename or archive a conversation.'''

A handler takes ``call`` and any of ``json`` (its validated body), ``query`` (its validated query
string) and ``resource`` (what the loader found and :func:`authorize` allowed), and returns a view, a
Starlette response, or None for an empty reply.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_type_hints

from pydantic import BaseModel

from liminal.api.call import Call
from liminal.identity.authorize import RULES, Audience, Owned

Method = Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
Handler = Callable[..., Awaitable[Any]]
ResourceLoader = Callable[[Call], Awaitable[Owned]]

MAX_BODY = 1024 * 1024


@dataclass(frozen=True)
class Endpoint:
    """One method of one path.

    Attributes:
        action: the row of ``RULES`` that decides who may call it.
        resource: finds what the path names, so that the rule can look at its owner and tenant.
        errors: statuses it can answer beside the ones that every endpoint can.
        slot: name of the concurrency slot it holds while it runs, None for none.
        max_body: bytes.
        upload: the handler reads the body itself, as it arrives; such a POST takes no Idempotency-Key.
    """

    method: Method
    path: str
    action: str
    handler: Handler
    status: int
    tag: str
    reply: type[BaseModel] | None
    json: type[BaseModel] | None
    query: type[BaseModel] | None
    resource: ResourceLoader | None
    errors: tuple[int, ...] = ()
    slot: str | None = None
    max_body: int = MAX_BODY
    upload: bool = False
    media_type: str = "application/json"
    wants: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The operation id."""
        return self.handler.__name__


def _build(
    method: Method,
    path: str,
    handler: Handler,
    tag: str,
    options: Mapping[str, Any],
) -> Endpoint:
    hints = get_type_hints(handler)
    parameters = frozenset(inspect.signature(handler).parameters) - {"call"}
    action: str = options["action"]
    rule = RULES.get(action)
    if rule is None:
        raise LookupError(f"{method} {path}: the action {action!r} has no row in the table of rules")
    if rule.audience in (Audience.OWNER, Audience.TENANT_ADMIN) and options.get("resource") is None:
        raise LookupError(f"{method} {path}: the rule of {action!r} needs to see a resource")
    if unknown := parameters - {"json", "query", "resource"}:
        raise TypeError(f"{handler.__name__} takes {sorted(unknown)}, which an endpoint cannot give")
    return Endpoint(
        method=method,
        path=path,
        handler=handler,
        tag=tag,
        json=hints.get("json"),
        query=hints.get("query"),
        wants=parameters,
        **options,
    )


@dataclass
class Noun:
    """The endpoints of one noun, in the order in which they are matched."""

    tag: str
    endpoints: list[Endpoint] = field(default_factory=list)

    def _add(self, method: Method, path: str, options: dict[str, Any]) -> Callable[[Handler], Handler]:
        def decorate(handler: Handler) -> Handler:
            self.endpoints.append(_build(method, path, handler, self.tag, options))
            return handler

        return decorate

    def route(
        self,
        method: Method,
        path: str,
        *,
        action: str,
        reply: type[BaseModel] | None = None,
        status: int | None = None,
        resource: ResourceLoader | None = None,
        errors: tuple[int, ...] = (),
        slot: str | None = None,
        max_body: int = MAX_BODY,
        upload: bool = False,
        media_type: str = "application/json",
    ) -> Callable[[Handler], Handler]:
        """Declare an endpoint. ``status`` is 200 with a reply and 204 without one unless given."""
        default = 200 if reply is not None or media_type != "application/json" else 204
        return self._add(
            method,
            path,
            {
                "action": action,
                "reply": reply,
                "status": status or default,
                "resource": resource,
                "errors": errors,
                "slot": slot,
                "max_body": max_body,
                "upload": upload,
                "media_type": media_type,
            },
        )
