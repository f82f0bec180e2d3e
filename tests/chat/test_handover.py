"""Whoever dies in the middle of an answer, worker, API node or socket, is replaced without a seam."""

from __future__ import annotations

import asyncio
import contextlib
import uuid

import pytest
from tests.api.installation import Person
from tests.chat.conftest import Chat
from tests.chat.test_turns import ENDLESS, in_turn, messages_of, text_of
from websockets.exceptions import ConnectionClosed

from liminal.log.read import Filter, open_reader

KILLS = 3
"""Answers tried until one is caught in the middle."""


async def test_kill_9_of_the_worker_in_mid_answer_leaves_one_whole_answer_on_the_log(
    chat: Chat, person: Person
) -> None:
    async with chat.socket(person) as client:
        for _ in range(KILLS):
            serving = await chat.serve()
            await client.command("send", client_id=str(uuid.uuid4()), content="a long story", options=ENDLESS)
            frames = await client.until("token")
            serving.kill()
            serving.wait()
            await chat.serve()
            frames += await client.until("message_done")
            assert in_turn(frames) == list(range(1, len(frames)))
            assert text_of(frames) == frames[-1]["message"]["content"]
            assert await answers_of(chat, frames[0]["turn_id"]) == 1
            if frames[-1]["message"]["trace"]["attempt"] >= 2:
                return
    pytest.fail(f"{KILLS} answers were all whole before the worker was killed")


@pytest.mark.usefixtures("worker")
async def test_kill_9_of_the_api_node_in_mid_answer_loses_and_repeats_no_token(
    chat: Chat, person: Person
) -> None:
    async with chat.node() as (node, port), chat.socket(person, port) as client:
        await client.command("send", client_id=str(uuid.uuid4()), content="a long story", options=ENDLESS)
        frames = await client.until("token")
        node.kill()
        with contextlib.suppress(ConnectionClosed):  # what was on its way still arrives
            while True:
                frames.append(await client.frame())
    assert frames[-1]["type"] == "token"
    async with chat.socket(person) as client:
        await client.command("resume", turn_id=frames[0]["turn_id"], after_seq=frames[-1]["seq"])
        frames += await client.until("message_done")
    assert in_turn(frames) == list(range(1, len(frames)))
    assert text_of(frames) == frames[-1]["message"]["content"]
    assert await answers_of(chat, frames[0]["turn_id"]) == 1


@pytest.mark.usefixtures("worker")
async def test_a_command_whose_api_node_was_killed_is_sent_again_and_answered_once(
    chat: Chat, person: Person
) -> None:
    options = {"max_tokens": 8}
    async with chat.socket(person) as client:
        conversation_id = (await client.say("before"))[0]["conversation_id"]
    for wait in (0.0, 0.002, 0.01):
        command = {"client_id": str(uuid.uuid4()), "content": "once", "conversation_id": conversation_id}
        async with chat.node() as (node, port), chat.socket(person, port) as client:
            await client.command("send", options=options, **command)
            await asyncio.sleep(wait)
            node.kill()
        async with chat.socket(person) as client:
            await client.command("send", options=options, **command)
            frames = await client.until("message_done")
        assert in_turn(frames) == list(range(1, len(frames)))
        assert await answers_of(chat, frames[0]["turn_id"]) == 1
        history = await messages_of(person, conversation_id)
        posted = next(message for message in history if message["id"] == frames[0]["user_message_id"])
        assert posted["parent_id"] == frames[0]["parent_id"] == history[-3]["id"]
    history = await messages_of(person, conversation_id)
    assert [message["content"] for message in history if message["role"] == "user"] == [
        "before",
        *["once"] * 3,
    ]


async def answers_of(chat: Chat, turn_id: str) -> int:
    """How many answers of a turn lie on the log."""
    wanted = Filter(types=("message.posted",), stream=f"turn-{turn_id}")
    async with open_reader(chat.installation.settings) as reader:
        start, end = await reader.bounds()
        return sum([wanted.wants(record) async for batch in reader.upto(start, end) for record in batch])
