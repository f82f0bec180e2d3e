"""What holds for every reply: security headers, our own hosts only, a correlation id, one log line."""

from __future__ import annotations

import re
import time
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from liminal.api.errors import UnknownHost, on_liminal_error, on_unexpected
from liminal.identity.cookies import LOOPBACK
from liminal.log.ids import new_id

log = structlog.get_logger(__name__)

CORRELATION = "X-Correlation-Id"
_CORRELATION_FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        # KaTeX and the highlighter set style attributes; scripts stay without 'unsafe-inline'
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

API_POLICY = "default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox"
"""For replies that are data: a browser that opens one as a page runs and loads nothing."""

SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
HSTS = "max-age=31536000; includeSubDomains"


class SecurityHeaders:
    """Adds the headers; replies under /v1 are never stored by a cache unless they say otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if scope["scheme"] == "https":
                    headers["Strict-Transport-Security"] = HSTS
                if scope["path"].startswith("/v1/"):
                    headers.setdefault("Cache-Control", "no-store")
                    headers["Content-Security-Policy"] = API_POLICY
            await send(message)

        await self.app(scope, receive, send_with_headers)


class OwnHosts:
    """Refuses requests for hosts that are not ours, which stops DNS rebinding and poisoned links.

    Ours are the loopback names and the host of ``public_origin``. Behind a proxy that ends TLS, the scheme
    of ``public_origin`` is what the browser sees, so it becomes the scheme of the request.
    """

    def __init__(self, app: ASGIApp, public_origin: str) -> None:
        self.app = app
        self._public = urlsplit(public_origin)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host", "").lower()
        if self._public.netloc and host == self._public.netloc.lower():
            if self._public.scheme == "https":
                scope["scheme"] = "https" if scope["type"] == "http" else "wss"
            await self.app(scope, receive, send)
        elif _hostname(host) in LOOPBACK:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "unknown host"})
        else:
            error = UnknownHost(
                f"This server does not answer for {host!r}; set LIMINAL_PUBLIC_ORIGIN to the address it has."
            )
            await on_liminal_error(Request(scope), error)(scope, receive, send)


def _hostname(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


class UnexpectedErrors:
    """Answers a defect from inside, so that its reply has all headers too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watching_send(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watching_send)
        except Exception as error:
            if begun:
                raise
            await on_unexpected(Request(scope), error)(scope, receive, send)


class Correlation:
    """Gives every request an id (the client's own, where it is a UUID) and logs one line about it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(CORRELATION, "").lower()
        correlation = given if _CORRELATION_FORM.fullmatch(given) else str(new_id())
        scope["correlation"] = correlation
        status = 500
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[CORRELATION] = correlation
            await send(message)

        with structlog.contextvars.bound_contextvars(correlation=correlation):
            try:
                await self.app(scope, receive, send_with_id)
            finally:
                # the path without its query, which may hold a search or a ticket
                log.info(
                    "http.request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    ms=round((time.perf_counter() - started) * 1000, 1),
                )
