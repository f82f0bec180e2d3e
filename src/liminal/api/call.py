"""What a handler is given: the request, who makes it, and the services that answer it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from liminal.identity.actor import Actor
from liminal.identity.cookies import SessionCookie
from liminal.identity.errors import NotAuthenticated

if TYPE_CHECKING:
    from liminal.api.services import Services


@dataclass(slots=True)
class Call:
    """One request on its way through an endpoint."""

    request: Request
    services: Services
    maybe_actor: Actor | None
    _cookies: list[SessionCookie] = field(default_factory=list)

    @property
    def actor(self) -> Actor:
        """The caller. Raises :class:`NotAuthenticated` where nobody is signed in."""
        if self.maybe_actor is None:
            raise NotAuthenticated("Sign in first.")
        return self.maybe_actor

    @property
    def address(self) -> str:
        """The network address of the client (of the proxy's client, where a proxy is trusted)."""
        return self.request.client.host if self.request.client else "unknown"

    @property
    def user_agent(self) -> str:
        """What the client calls itself, cut to 300 characters."""
        return self.request.headers.get("user-agent", "")[:300]

    @property
    def id(self) -> UUID:
        """The ``{id:uuid}`` of the path."""
        return self.request.path_params["id"]

    @property
    def name(self) -> str:
        """The ``{name}`` of the path."""
        return self.request.path_params["name"]

    def sign_in(self, token: str, max_age: int) -> None:
        """Send ``token`` as the session cookie, for ``max_age`` seconds."""
        self._cookies.append(SessionCookie.of(self.request, token, max_age))

    def sign_out(self) -> None:
        """Tell the browser to forget its session cookie."""
        self._cookies.append(SessionCookie.of(self.request, "", 0))

    def send_cookies(self, response: Response) -> None:
        """Write the cookies that the handler asked for onto its response."""
        for cookie in self._cookies:
            cookie.write(response)
