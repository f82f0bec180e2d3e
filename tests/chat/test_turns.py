"""Turns over the socket and over HTTP, answered by a worker in a process of its own."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from tests.api.installation import Person
from tests.chat.conftest import Chat
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.usefixtures("worker")
LONG = {"max_tokens": 900, "temperature": 0.0}
ENDLESS = {**LONG, "max_tokens": 4000}
"""Not over before a command reaches its worker, however busy the machine is.

Greedy: the weights are random, so among 320 tokens the end is drawn soon, but is never the likeliest.
"""


def text_of(frames: list[dict[str, Any]]) -> str:
    """What the tokens of a turn say together."""
    return "".join(frame["text"] for frame in frames if frame["type"] == "token")


def in_turn(frames: list[dict[str, Any]]) -> list[int]:
    """The numbers of the frames that have one."""
    return [frame["seq"] for frame in frames if frame["seq"]]


async def messages_of(person: Person, conversation_id: str) -> list[dict[str, Any]]:
    """The history."""
    reply = await person.browser.get(f"/v1/conversations/{conversation_id}/messages")
    assert reply.status_code == 200, reply.text
    return reply.json()["items"]


async def test_a_message_is_answered_in_numbered_frames_and_stands_in_the_history(
    chat: Chat, person: Person
) -> None:
    async with chat.socket(person) as client:
        frames = await client.say("hello")
    assert [frames[0]["type"], frames[1]["type"], frames[-1]["type"]] == [
        "accepted",
        "routed",
        "message_done",
    ]
    assert in_turn(frames) == list(range(1, len(frames)))
    assert text_of(frames) == frames[-1]["message"]["content"] != ""
    user, assistant = await messages_of(person, frames[0]["conversation_id"])
    assert (user["role"], user["content"]) == ("user", "hello")
    assert assistant["content"] == frames[-1]["message"]["content"]
    assert assistant["trace"]["seed"] == frames[1]["seed"]
    assert assistant["parent_id"] == user["id"]


async def test_a_turn_over_http_gives_both_messages(chat: Chat, person: Person) -> None:
    body = {"content": "hello", "options": {"max_tokens": 8}}
    reply = await person.browser.post("/v1/chat", json=body, timeout=60)
    assert reply.status_code == 200, reply.text
    turn = reply.json()
    assert turn["assistant_message"]["parent_id"] == turn["user_message"]["id"]
    assert turn["assistant_message"]["usage"]["completion_tokens"] <= 8


async def test_many_turns_share_one_socket(chat: Chat, person: Person) -> None:
    async with chat.socket(person) as client:
        for number in range(3):
            await client.command(
                "send", client_id=str(uuid.uuid4()), content=f"number {number}", options={"max_tokens": 30}
            )
        ended: dict[str, list[dict[str, Any]]] = {}
        frames: dict[str, list[dict[str, Any]]] = {}
        while len(ended) < 3:
            frame = await client.frame()
            frames.setdefault(frame["turn_id"], []).append(frame)
            if frame["type"] == "message_done":
                ended[frame["turn_id"]] = frames[frame["turn_id"]]
    for turn in ended.values():
        assert in_turn(turn) == list(range(1, len(turn)))
        assert text_of(turn) == turn[-1]["message"]["content"]


async def test_a_client_that_lost_its_socket_resumes_and_sees_every_token_once(
    chat: Chat, person: Person
) -> None:
    async with chat.socket(person) as client:
        await client.command("send", client_id=str(uuid.uuid4()), content="a long story", options=LONG)
        frames = [await client.frame() for _ in range(5)]
        turn_id = frames[0]["turn_id"]
        client.connection.transport.abort()
    async with chat.socket(person) as client:
        await client.command("resume", turn_id=turn_id, after_seq=frames[-1]["seq"])
        frames += await client.until("message_done")
    assert in_turn(frames) == list(range(1, len(frames)))
    assert text_of(frames) == frames[-1]["message"]["content"]


async def test_a_finished_turn_can_be_resumed_from_the_beginning(chat: Chat, person: Person) -> None:
    async with chat.socket(person) as client:
        frames = await client.say("hello")
        await client.command("resume", turn_id=frames[0]["turn_id"], after_seq=0)
        again = await client.until("message_done")
    assert again == frames[1:]


async def test_a_cancelled_turn_keeps_what_was_written(chat: Chat, person: Person) -> None:
    async with chat.socket(person) as client:
        await client.command("send", client_id=str(uuid.uuid4()), content="a long story", options=ENDLESS)
        frames = [await client.frame() for _ in range(4)]
        await client.command("cancel", turn_id=frames[0]["turn_id"])
        frames += await client.until("cancelled", "message_done")
        assert frames[-1]["type"] == "cancelled"
        assert text_of(frames) == frames[-1]["message"]["content"]
    history = await messages_of(person, frames[0]["conversation_id"])
    assert [message["status"] for message in history] == ["complete", "cancelled"]
    assert history[1]["content"] == text_of(frames)


async def test_a_command_that_is_sent_again_does_not_post_again(chat: Chat, person: Person) -> None:
    client_id = str(uuid.uuid4())
    async with chat.socket(person) as client:
        for _ in range(2):
            await client.command("send", client_id=client_id, content="once", options={"max_tokens": 4})
        accepted = [frame for _ in range(2) for frame in await client.until("accepted")]
        turns = {frame["turn_id"] for frame in accepted if frame["type"] == "accepted"}
    assert len(turns) == 1


async def test_edit_and_regenerate_make_branches_and_overwrite_nothing(chat: Chat, person: Person) -> None:
    async with chat.socket(person) as client:
        first = await client.say("first wording")
        conversation_id = first[0]["conversation_id"]
        await client.command(
            "edit",
            client_id=str(uuid.uuid4()),
            message_id=first[0]["user_message_id"],
            content="second wording",
            options={"max_tokens": 4},
        )
        await client.until("message_done")
        await client.command(
            "regenerate",
            client_id=str(uuid.uuid4()),
            message_id=first[0]["assistant_message_id"],
            options={"max_tokens": 4},
        )
        await client.until("message_done")
    history = await messages_of(person, conversation_id)
    questions = [m for m in history if m["role"] == "user"]
    answers = [m for m in history if m["parent_id"] == first[0]["user_message_id"]]
    assert [q["content"] for q in questions] == ["first wording", "second wording"]
    assert len(answers) == 2
    assert len(history) == 5


async def test_what_is_no_command_gets_an_error_frame_and_the_socket_stays_open(
    chat: Chat, person: Person
) -> None:
    async with chat.socket(person) as client:
        for text in ("{", "[]", '{"cmd": "sing"}', '{"cmd": "send"}', '{"cmd": "ping", "more": 1}'):
            await client.connection.send(text)
            frame = await client.frame()
            assert (frame["type"], frame["code"]) == ("error", "bad_command")
        await client.command("ping")
        assert (await client.frame())["type"] == "pong"


async def test_nobody_reads_or_stops_the_turn_of_another(chat: Chat, person: Person) -> None:
    from tests.api.installation import signup

    stranger = await signup(chat.installation)
    async with chat.socket(person) as client, chat.socket(stranger) as other:
        frames = await client.say("mine")
        for command in ({"cmd": "resume", "after_seq": 0}, {"cmd": "cancel"}):
            await other.command(command.pop("cmd"), turn_id=frames[0]["turn_id"], **command)
            refused = await other.frame()
            assert (refused["type"], refused["code"]) == ("error", "not_found")


async def test_a_socket_without_a_credential_is_closed_with_4401(chat: Chat) -> None:
    async with connect(f"ws://127.0.0.1:{chat.port}/v1/chat/stream") as connection:
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(connection.recv(), 10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401
