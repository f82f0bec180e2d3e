"""/v1/chat/stream: the chat websocket. Who may open it is decided here; what it does, in liminal.chat.session."""

from __future__ import annotations

from collections import defaultdict

import structlog
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from liminal.api.services import Services
from liminal.chat.session import CloseCode, Session
from liminal.errors import LiminalError
from liminal.identity.actor import Actor
from liminal.identity.authorize import authorize
from liminal.identity.cookies import is_same_origin, session_token
from liminal.identity.limits import plan_of
from liminal.identity.signals import Revocation

log = structlog.get_logger(__name__)


class Sockets:
    """The open sockets of this process, by account: the oldest gives way when a plan's number is passed."""

    def __init__(self) -> None:
        self._open: defaultdict[object, list[Session]] = defaultdict(list)

    def add(self, session: Session) -> None:
        """Count a socket in; may close an older one of the same account."""
        sessions = self._open[session.actor.account_id]
        sessions.append(session)
        if len(sessions) > plan_of(session.actor.plan).sockets:
            sessions[0].end(CloseCode.REPLACED, "a newer socket of this account took its place")

    def remove(self, session: Session) -> None:
        """Count a socket out."""
        sessions = self._open[session.actor.account_id]
        sessions.remove(session)
        if not sessions:
            del self._open[session.actor.account_id]

    def revoke(self, revocation: Revocation) -> None:
        """Close every socket that was opened with a credential that ended."""
        for session in self._open.get(revocation.account_id, []):
            if revocation.concerns(session.actor.account_id, session.actor.credential_id):
                session.end(CloseCode.NOT_AUTHENTICATED, "signed out")


async def _who(socket: WebSocket, services: Services) -> Actor | None:
    """By one-use ticket, by bearer token, or by cookie from our own pages only."""
    if (ticket := socket.query_params.get("ticket")) is not None:
        return await services.identity.actor_of_ticket(ticket)
    scheme, _, token = socket.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return await services.identity.actor_of_bearer(token.strip())
    cookie = session_token(socket)
    if cookie is None or not is_same_origin(socket):
        return None
    return await services.identity.sessions.actor(cookie)


async def chat_stream(socket: WebSocket) -> None:
    """Serve one socket until it ends."""
    services: Services = socket.app.state.services
    # accepted first, for a browser shows the reason of a close but not of a refused handshake
    await socket.accept()
    actor = await _who(socket, services)
    try:
        authorize(actor, "socket.open")
    except LiminalError as error:
        await socket.close(CloseCode.NOT_AUTHENTICATED, error.message[:120])
        return
    assert actor is not None
    session = Session(actor, socket, services.turns, services.hub, services.identity.limits)
    services.sockets.add(session)
    try:
        await session.run()
    except WebSocketDisconnect:
        pass
    finally:
        services.sockets.remove(session)


SOCKETS = (WebSocketRoute("/v1/chat/stream", chat_stream, name="chat_stream"),)
