"""/v1/chat/stream: the chat websocket. Who may open it is decided here; the rest, in liminal.chat.session."""

from __future__ import annotations

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from liminal.api.services import Services
from liminal.chat.session import CloseCode, Session
from liminal.errors import LiminalError
from liminal.identity.actor import Actor
from liminal.identity.authorize import authorize
from liminal.identity.cookies import is_same_origin, session_token


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


class _Messages:
    """A Starlette websocket as a session wants it: binary messages are given as they are, to be refused."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self.send_text = socket.send_text
        self.close = socket.close

    async def receive(self) -> str | bytes:
        """The next message. Raises WebSocketDisconnect."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"], message.get("reason"))
        text: str | None = message.get("text")
        return message["bytes"] if text is None else text


async def chat_stream(socket: WebSocket) -> None:
    """Serve one socket until it ends."""
    services: Services = socket.app.state.services
    # accepted first, for a browser shows the reason of a close but not of a refused handshake
    await socket.accept()
    try:
        actor = await _who(socket, services)
        authorize(actor, "socket.open")
        assert actor is not None
        session = Session(actor, _Messages(socket), services.turns, services.hub, services.identity.limits)
        services.sockets.add(session)
    except LiminalError as error:
        await socket.close(CloseCode.NOT_AUTHENTICATED, error.message[:120])
        return
    try:
        # a credential that ended between the first lookup and the line above was announced to nobody here
        authorize(await services.identity.actor_again(actor.credential, actor.credential_id), "socket.open")
        await session.run()
    except LiminalError as error:
        await socket.close(CloseCode.NOT_AUTHENTICATED, error.message[:120])
    except WebSocketDisconnect:
        pass
    finally:
        services.sockets.remove(session)


stream = WebSocketRoute("/v1/chat/stream", chat_stream, name="chat_stream")
