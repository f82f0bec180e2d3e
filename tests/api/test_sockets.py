"""Sockets that are too many, too slow, too large, or no longer anybody's."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import uuid
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import orjson
import psutil
import pytest
from tests.api.installation import Installation, Person
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from liminal.chat import session
from liminal.chat.frames import Cancelled, Citation
from liminal.chat.keys import Keys
from liminal.chat.streams import FrameWriter
from liminal.identity.limits import PLANS


def ws(server: str, path: str = "/v1/chat/stream") -> str:
    return server.replace("http://", "ws://") + path


@contextlib.asynccontextmanager
async def opened(server: str, person: Person, **options: Any) -> AsyncGenerator[ClientConnection]:
    """A socket of a browser that signed in."""
    cookies = "; ".join(f"{name}={value}" for name, value in person.browser.cookies.items())
    async with connect(
        ws(server),
        additional_headers={"Cookie": cookies},
        origin=server,  # pyright: ignore[reportArgumentType]
        **options,
    ) as client:
        yield client


async def pong(client: ClientConnection) -> str:
    await client.send('{"cmd": "ping"}')
    return orjson.loads(await asyncio.wait_for(client.recv(), 10))["type"]


async def close_code(client: ClientConnection, within: float = 10) -> int | None:
    with pytest.raises(ConnectionClosed) as closed:
        async with asyncio.timeout(within):
            while True:
                await client.recv()
    return closed.value.rcvd and closed.value.rcvd.code


async def long_turn(installation: Installation, person: Person, frames: int, size: int) -> UUID:
    """A turn of so many frames of so many bytes."""
    redis, keys = installation.services.redis, Keys(installation.settings.topic)
    turn_id = uuid.uuid4()
    await redis.set(keys.owner(turn_id), f"{person.id} {person.account['tenant_id']}", ex=60)
    async with FrameWriter(redis, keys) as writer:
        turn = await writer.open(turn_id)
        for number in range(frames):
            writer.write(turn, Citation(citation={"text": "x" * size, "number": number}))
            if number % 200 == 0:
                await writer.drain(turn)
        writer.write(turn, Cancelled())
        await writer.drain(turn)
    return turn_id


def narrow_link(server: str) -> socket.socket:
    """A connection whose kernel buffers little; on some machines they hold tens of megabytes."""
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    link.connect(("127.0.0.1", int(server.rpartition(":")[2])))
    link.setblocking(False)
    return link


async def hang_up_subscriptions(installation: Installation) -> None:
    """Redis closes the subscriptions of this process, and of no other that shares it."""
    redis = installation.services.redis
    ours = {f"127.0.0.1:{link.laddr.port}" for link in psutil.Process().net_connections("tcp")}
    for client in await redis.client_list(_type="pubsub"):
        if client["addr"] in ours:
            await redis.client_kill_filter(_id=client["id"])


async def test_the_oldest_socket_gives_way_to_one_too_many(server: str, person: Person) -> None:
    async with contextlib.AsyncExitStack() as stack:
        sockets: list[ClientConnection] = []
        for _ in range(PLANS["free"].sockets + 1):
            sockets.append(await stack.enter_async_context(opened(server, person)))
            assert await pong(sockets[-1]) == "pong"  # it counts only now; a handshake alone has no place yet
        assert await close_code(sockets[0]) == 4409
        assert [await pong(client) for client in sockets[1:]] == ["pong"] * PLANS["free"].sockets


async def test_a_long_turn_is_resumed_whole_however_far_behind_its_reader_is(
    server: str, installation: Installation, person: Person
) -> None:
    turn_id = await long_turn(installation, person, frames=session.QUEUE * 3, size=10)
    async with opened(server, person) as client:
        await client.send(orjson.dumps({"cmd": "resume", "turn_id": str(turn_id)}).decode())
        seqs = [
            orjson.loads(await asyncio.wait_for(client.recv(), 10))["seq"]
            for _ in range(session.QUEUE * 3 + 1)
        ]
        assert seqs == list(range(1, session.QUEUE * 3 + 2))
        assert await pong(client) == "pong"


async def test_a_reader_that_takes_nothing_is_closed_with_a_code_and_resumes(
    server: str, installation: Installation, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "STALLED", 0.5)
    turn_id = await long_turn(installation, person, frames=1200, size=16_000)
    ask = {"cmd": "resume", "turn_id": str(turn_id)}
    seqs: list[int] = []
    async with opened(server, person, sock=narrow_link(server)) as client:
        await client.send(orjson.dumps(ask).decode())
        await asyncio.sleep(3)  # the client's library stops reading when nobody takes what it has
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                seqs.append(orjson.loads(await asyncio.wait_for(client.recv(), 10))["seq"])
    assert closed.value.rcvd is None or closed.value.rcvd.code == 4429
    async with opened(server, person) as client:
        await client.send(orjson.dumps(ask | {"after_seq": seqs[-1] if seqs else 0}).decode())
        while len(seqs) < 1201:
            seqs.append(orjson.loads(await asyncio.wait_for(client.recv(), 10))["seq"])
    assert seqs == list(range(1, 1202))


async def test_a_message_over_a_mebibyte_closes_its_socket_and_no_other(server: str, person: Person) -> None:
    async with opened(server, person) as small, opened(server, person) as large:
        await large.send("x" * (1024 * 1024 + 1))
        assert await close_code(large) == 1009
        assert await pong(small) == "pong"


async def test_a_ticket_opens_one_socket(server: str, person: Person) -> None:
    ticket = (await person.browser.post("/v1/auth/ws-ticket")).json()["ticket"]
    async with connect(ws(server, f"/v1/chat/stream?ticket={ticket}")) as client:
        assert await pong(client) == "pong"
    async with connect(ws(server, f"/v1/chat/stream?ticket={ticket}")) as client:
        assert await close_code(client) == 4401


async def test_a_credential_that_ended_while_redis_was_away_closes_its_socket_when_it_is_back(
    server: str, installation: Installation, person: Person
) -> None:
    identity = installation.services.identity
    async with opened(server, person) as ended, opened(server, person) as kept_out:
        assert [await pong(client) for client in (ended, kept_out)] == ["pong", "pong"]
        await identity.sessions.end_all(UUID(person.id))  # without the word that usually follows
        assert await pong(ended) == "pong"
        await hang_up_subscriptions(installation)
        assert [await close_code(client) for client in (ended, kept_out)] == [4401, 4401]
