"""Every command of the chat socket, sent by everybody who may not."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any, get_args

import httpx
import orjson
import pytest
from tests.api.installation import Belongings, Installation, Person, signup
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from liminal.chat.frames import Command

NOT_AUTHENTICATED = 4401


def _foreign(command: str, belongings: Belongings, turn_id: str) -> dict[str, Any]:
    """The command about things of somebody else."""
    conversation, message = belongings.ids["/v1/conversations/"], belongings.ids["/v1/messages/"]
    client_id = str(uuid.uuid4())
    return {
        "send": {"client_id": client_id, "conversation_id": conversation, "content": "x"},
        "edit": {"client_id": client_id, "message_id": message, "content": "x"},
        "regenerate": {"client_id": client_id, "message_id": message},
        "cancel": {"turn_id": turn_id},
        "resume": {"turn_id": turn_id, "after_seq": 0},
    }[command]


COMMANDS = sorted(
    model.model_fields["cmd"].annotation.__args__[0] for model in get_args(get_args(Command)[0])
)
ABOUT_SOMETHING = [command for command in COMMANDS if command != "ping"]


def _open(server: str, client: httpx.AsyncClient, **more: str) -> connect:
    headers = {"Origin": server, **more}
    if cookies := "; ".join(f"{name}={value}" for name, value in client.cookies.items()):
        headers["Cookie"] = cookies
    if bearer := client.headers.get("Authorization"):
        headers["Authorization"] = bearer
    uri = server.replace("http://", "ws://") + "/v1/chat/stream"
    return connect(
        uri, additional_headers={k: v for k, v in headers.items() if k != "Origin"}, origin=headers["Origin"]
    )  # pyright: ignore[reportArgumentType]


async def _ask(socket: ClientConnection, command: dict[str, Any]) -> dict[str, Any]:
    await socket.send(orjson.dumps(command).decode())
    return orjson.loads(await asyncio.wait_for(socket.recv(), 10))


@pytest.mark.parametrize("caller", ["nobody", "garbage", "suspended", "key without scope"])
async def test_who_may_not_open_a_socket_is_closed_with_a_code(
    server: str, callers: dict[str, httpx.AsyncClient], caller: str
) -> None:
    async with _open(server, callers[caller]) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await _ask(socket, {"cmd": "ping"})
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == NOT_AUTHENTICATED


@pytest.mark.parametrize("command", ABOUT_SOMETHING)
@pytest.mark.parametrize("caller", ["user", "foreign user", "foreign admin", "admin"])
async def test_a_command_about_someone_elses_things_is_refused(
    server: str, callers: dict[str, httpx.AsyncClient], belongings: Belongings, caller: str, command: str
) -> None:
    path = f"/v1/conversations/{belongings.ids['/v1/conversations/']}/messages"
    (message,) = (await belongings.owner.browser.get(path)).json()["items"]
    async with _open(server, callers[caller]) as socket:
        frame = await _ask(socket, {"cmd": command, **_foreign(command, belongings, message["turn_id"])})
    assert frame["type"] == "error"
    assert "private" not in str(frame)
    assert (await belongings.owner.browser.get(path)).json()["items"] == [message]


async def test_another_sites_page_opens_no_socket_with_our_cookie(server: str, person: Person) -> None:
    for origin in ("https://evil.example", "null"):
        async with _open(server, person.browser, Origin=origin) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                await _ask(socket, {"cmd": "ping"})
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == NOT_AUTHENTICATED
    async with _open(server, person.browser) as socket:
        assert (await _ask(socket, {"cmd": "ping"}))["type"] == "pong"


async def test_the_sockets_of_an_account_close_when_it_is_suspended_or_signs_out(
    server: str, installation: Installation, admin: Person, founders: list[Person]
) -> None:
    for ending in ("suspend", "logout", "logout-all"):
        person = await signup(installation)
        async with _open(server, person.browser) as socket:
            assert (await _ask(socket, {"cmd": "ping"}))["type"] == "pong"
            if ending == "suspend":
                await admin.browser.post(f"/v1/admin/accounts/{person.id}/suspend", json={})
            else:
                await person.browser.post(f"/v1/auth/{ending}")
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(socket.recv(), 5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == NOT_AUTHENTICATED, ending
