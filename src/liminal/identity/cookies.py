"""The browser's session cookie, and the proof that a request comes from our own pages.

RFC 6265bis names the ``__Host-`` prefix: such a cookie is Secure, for this host alone, on every path.
Plain http on localhost cannot keep it, so development uses a cookie of another name there, and nowhere
else.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from liminal.identity.errors import CrossSiteRequest

SECURE_COOKIE = "__Host-liminal"
LOCALHOST_COOKIE = "liminal_session"
CSRF_HEADER = "x-liminal"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def is_secure(connection: HTTPConnection) -> bool:
    """Whether the client speaks TLS to us or to the proxy that we trust."""
    return connection.url.scheme in ("https", "wss")


def session_token(connection: HTTPConnection) -> str | None:
    """The session token that the browser sent, from the one cookie that is valid on this scheme."""
    if is_secure(connection):
        return connection.cookies.get(SECURE_COOKIE)
    if (connection.url.hostname or "") in LOOPBACK:
        return connection.cookies.get(LOCALHOST_COOKIE)
    return None


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """A Set-Cookie line to be written; an empty value with age 0 deletes."""

    name: str
    value: str
    max_age: int
    secure: bool

    @classmethod
    def of(cls, connection: HTTPConnection, value: str, max_age: int) -> SessionCookie:
        """The cookie that fits the connection. Plain http away from localhost is refused."""
        if is_secure(connection):
            return cls(SECURE_COOKIE, value, max_age, secure=True)
        if (connection.url.hostname or "") in LOOPBACK:
            return cls(LOCALHOST_COOKIE, value, max_age, secure=False)
        raise CrossSiteRequest(
            "Signing in over plain http is possible on localhost only; use https, and set "
            "LIMINAL_PUBLIC_ORIGIN."
        )

    def write(self, response: Response) -> None:
        """Add the Set-Cookie header to ``response``."""
        response.set_cookie(
            self.name,
            self.value,
            max_age=self.max_age,
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )


def own_origin(connection: HTTPConnection) -> str:
    """``scheme://host[:port]`` as the browser sees this server; websocket schemes as http ones."""
    scheme = "https" if is_secure(connection) else "http"
    return f"{scheme}://{connection.headers.get('host', '').lower()}"


def is_same_origin(connection: HTTPConnection) -> bool:
    """Whether the browser says that our own page made this request (Origin, or fetch metadata)."""
    origin = connection.headers.get("origin")
    if origin is not None:
        parts = urlsplit(origin)
        return f"{parts.scheme}://{parts.netloc}".lower() == own_origin(connection)
    return connection.headers.get("sec-fetch-site") == "same-origin"


def require_same_origin(connection: HTTPConnection, method: str, *, by_cookie: bool) -> None:
    """Refuse a state-changing request that another site could have made.

    A request that carries the session cookie must prove its origin and send ``X-Liminal: 1``, which no
    form can. One without any credential (login, signup) is refused only when the browser says that
    it comes from elsewhere: programs send neither header.

    Raises:
        CrossSiteRequest
    """
    if method in SAFE_METHODS:
        return
    headers = connection.headers
    from_browser = "origin" in headers or "sec-fetch-site" in headers
    if by_cookie and headers.get(CSRF_HEADER) != "1":
        raise CrossSiteRequest("A request with the session cookie needs the header X-Liminal: 1.")
    if (by_cookie or from_browser) and not is_same_origin(connection):
        raise CrossSiteRequest("This request does not come from our own pages.")
