"""People of ``liminal bench turns``: accounts, and clients that take the time of each frame."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID, uuid4

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect

from liminal.identity.service import Identity

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who signed in for a token."""

    headers: dict[str, str]


async def sign_up(http: httpx.AsyncClient, identity: Identity, number: int) -> Account:
    """A new account, with the plan that load tests have."""
    me = {"email": f"person{number}@example.org", "password": PASSWORD}
    made = (await http.post("/v1/auth/signup", json=me)).raise_for_status().json()
    # a cookie would make this client a browser, whose requests have to say which page they come from
    http.cookies.clear()
    await identity.accounts.change_plan(UUID(made["account"]["id"]), "internal", by="bench")
    tokens = await http.post("/v1/auth/login", json={**me, "client": "api"})
    return Account({"Authorization": f"Bearer {tokens.raise_for_status().json()['access_token']}"})


@dataclass(slots=True)
class Turn:
    """One turn as its client saw it; all times in milliseconds.

    Attributes:
        accepted: from the command to its ``accepted``, which says that the message is on the log.
        first: from the command to the first token, without the engine's own share.
        tokens: of every token, from the engine's hand to the client's.
        seqs: the numbers of the frames.
        whole: the tokens together are the message at the end, and as many as were asked for.
    """

    conversation_id: str = ""
    user_message_id: str = ""
    accepted: float = 0.0
    accepted_at: float = 0.0
    first: float = 0.0
    tokens: list[float] = field(default_factory=list[float])
    seqs: list[int] = field(default_factory=list[int])
    whole: bool = False


class Talker:
    """A client with one socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    @classmethod
    async def connect(cls, port: int, account: Account) -> Self:
        """Open a socket; it is usable at once."""
        url = f"ws://127.0.0.1:{port}/v1/chat/stream"
        return cls(await connect(url, additional_headers=account.headers))

    async def ping(self) -> None:
        """Return once the server has answered."""
        await self._socket.send('{"v":1,"cmd":"ping"}')
        assert orjson.loads(await self._socket.recv())["type"] == "pong"

    async def close(self) -> None:
        """Hang up."""
        await self._socket.close()

    async def cancelled(self) -> float:
        """Begin a long turn, stop it at its first token; milliseconds from ``cancel`` to ``cancelled``."""
        await self._socket.send(orjson.dumps(_send(1000)), text=True)
        asked = 0.0
        while True:
            frame = orjson.loads(await self._socket.recv())
            if frame["type"] == "token" and not asked:
                asked = time.monotonic()
                await self._socket.send(
                    orjson.dumps({"cmd": "cancel", "turn_id": frame["turn_id"]}), text=True
                )
            elif frame["type"] == "cancelled":
                return 1000 * (time.monotonic() - asked)

    async def turn(
        self, tokens: int, after: Turn | None = None, accepted: asyncio.Future[Turn] | None = None
    ) -> Turn:
        """Send a message, in the conversation of ``after``, and read its answer of ``tokens`` tokens.

        ``accepted`` gets the turn once the message is on the log.
        """
        command = _send(tokens)
        if after is not None:
            command["conversation_id"] = after.conversation_id
        sent = time.monotonic_ns()
        await self._socket.send(orjson.dumps(command), text=True)
        turn, said = Turn(), ""
        while True:
            frame = orjson.loads(await self._socket.recv())
            now = time.monotonic_ns()
            if frame["seq"]:
                turn.seqs.append(frame["seq"])
            match frame["type"]:
                case "accepted":
                    turn.accepted_at = now / 1e9
                    turn.accepted = (now - sent) / 1e6
                    turn.conversation_id = frame["conversation_id"]
                    turn.user_message_id = frame["user_message_id"]
                    if accepted is not None:
                        accepted.set_result(turn)
                case "token":
                    for asked, spoken in _times(frame["text"]):
                        turn.first = turn.first or (now - sent - (spoken - asked)) / 1e6
                        turn.tokens.append((now - spoken) / 1e6)
                    said += frame["text"]
                case "message_done":
                    in_order = turn.seqs == list(range(1, len(turn.seqs) + 1))
                    turn.whole = (
                        in_order and said == frame["message"]["content"] and len(turn.tokens) == tokens
                    )
                    return turn
                case "error" | "cancelled":
                    return turn
                case _:
                    pass


def _send(tokens: int) -> dict[str, Any]:
    return {
        "cmd": "send",
        "client_id": str(uuid4()),
        "content": "What time is it?",
        "options": {"max_tokens": tokens},
    }


def _times(text: str) -> Sequence[tuple[int, int]]:
    """(asked, spoken) of every token in a piece of an answer."""
    pairs = (word.split(":") for word in text.split())
    return [(int(asked), int(spoken)) for asked, spoken in pairs]


async def visible_after(http: httpx.AsyncClient, account: Account, accepted: asyncio.Future[Turn]) -> float:
    """Milliseconds from the ``accepted`` of a turn until the history, asked over HTTP, shows its message."""
    turn = await accepted
    path = f"/v1/conversations/{turn.conversation_id}/messages"
    while True:
        reply = await http.get(path, headers=account.headers)
        now = time.monotonic()
        if reply.status_code == 200 and any(m["id"] == turn.user_message_id for m in reply.json()["items"]):
            return 1000 * (now - turn.accepted_at)
        await asyncio.sleep(0.001)
