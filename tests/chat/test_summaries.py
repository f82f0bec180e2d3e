"""A conversation that outgrows the window goes on with the model's notes of its beginning."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest
from tests.api.installation import Person, signup
from tests.chat.conftest import WINDOW, Chat, Client
from tests.chat.test_turns import messages_of

from liminal.chat.summarise import Summariser
from liminal.engine.engine import Engine
from liminal.engine.options import EngineOptions
from liminal.log.position import Position
from liminal.log.reaction import Delivery
from liminal.log.read import Filter, open_reader

pytestmark = pytest.mark.usefixtures("worker")
PASSAGE = "The heron stands in the reeds at dawn and waits for fish. " * 8
"""About four hundred tokens of the tiny model's."""


async def summaries_of(person: Person, conversation_id: str) -> list[dict[str, Any]]:
    """What is noted of a conversation, newest first."""
    reply = await person.browser.get(f"/v1/conversations/{conversation_id}/summaries")
    assert reply.status_code == 200, reply.text
    return reply.json()["items"]


async def fill(client: Client, conversation_id: str | None = None) -> list[dict[str, Any]]:
    """Talk until a turn takes most of the window; the answers' messages."""
    answers: list[dict[str, Any]] = []
    while not answers or sum(answers[-1]["usage"][k] for k in ("prompt_tokens", "completion_tokens")) < 2600:
        more: dict[str, Any] = {"conversation_id": conversation_id} if conversation_id else {}
        frames = await client.say(PASSAGE, **more)
        conversation_id = frames[0]["conversation_id"]
        answers.append(frames[-1]["message"])
    return answers


async def until_noted(person: Person, conversation_id: str) -> list[dict[str, Any]]:
    """The notes, once there are some."""
    for _ in range(300):
        if found := await summaries_of(person, conversation_id):
            return found
        await asyncio.sleep(0.2)
    raise AssertionError("the conversation was not summarised within a minute")


async def test_a_full_window_is_summarised_and_the_answer_says_which_summary_it_read(
    chat: Chat, person: Person
) -> None:
    async with chat.socket(person) as client:
        first = await client.say(PASSAGE)
        conversation_id = first[0]["conversation_id"]
        assert await summaries_of(person, conversation_id) == []
        answers = [first[-1]["message"], *await fill(client, conversation_id)]
        assert {answer["trace"]["summary_version"] for answer in answers} == {None}
        summary = (await until_noted(person, conversation_id))[0]
        assert summary["text"]
        assert summary["through"] in [answer["id"] for answer in answers]
        assert summary["messages"] == 2 * [answer["id"] for answer in answers].index(summary["through"]) + 2
        question = PASSAGE * 4
        answer = (await client.say(question, conversation_id=conversation_id))[-1]["message"]
        versions = [found["version"] for found in await summaries_of(person, conversation_id)]
        assert answer["trace"]["summary_version"] in versions
        assert answer["trace"]["left_out"] == 0
        assert answer["usage"]["prompt_tokens"] < WINDOW

        # another wording of the first message begins a branch that the notes do not tell about
        body = {"client_id": str(uuid.uuid4()), "options": {"max_tokens": 4}}
        await client.command("edit", **body, message_id=first[0]["user_message_id"], content="hello")
        edited = (await client.until("message_done"))[-1]["message"]
        assert edited["trace"]["summary_version"] is None


async def delivered(chat: Chat, message_id: str) -> Delivery:
    """The event of an answer, as a reaction gets it that may have begun on it before."""
    async with open_reader(chat.installation.settings) as reader:
        start, end = await reader.bounds()
        async for batch in reader.upto(start, end):
            for event in await chat.installation.services.log.decoder.decode(batch):
                if event["_type"] == "message.posted" and event["message_id"] == message_id:
                    position = Position(event["_partition"], event["_offset"])
                    return Delivery(event, position, maybe_seen=True, log_end=end[position.partition])
    raise AssertionError(f"{message_id} is not on the log")


async def test_an_answer_that_comes_twice_is_summarised_once(chat: Chat, person: Person, model: Path) -> None:
    async with chat.socket(person) as client:
        last = (await fill(client))[-1]
    conversation_id = (await person.browser.get("/v1/conversations")).json()["items"][0]["id"]
    written = await until_noted(person, conversation_id)
    delivery = await delivered(chat, last["id"])
    with Engine.load(model, EngineOptions(slots=1, warm=False)) as engine:
        again = Summariser(chat.installation.services.log, engine)
        await asyncio.gather(*(again.handle(delivery) for _ in range(3)))
    assert await summaries_of(person, conversation_id) == written
    assert [summary["version"] for summary in written] == list(range(len(written), 0, -1))


async def test_the_notes_of_a_conversation_are_events_for_nobody_but_its_owner(
    chat: Chat, person: Person
) -> None:
    stranger = await signup(chat.installation)
    async with chat.socket(person) as client:
        answers = await fill(client)
    conversation_id = (await person.browser.get("/v1/conversations")).json()["items"][0]["id"]
    (summary, *_) = await until_noted(person, conversation_id)
    assert len(answers) * 2 == len(await messages_of(person, conversation_id))
    hidden = await stranger.browser.get(f"/v1/conversations/{conversation_id}/summaries")
    assert hidden.status_code == 404
    async with open_reader(chat.installation.settings) as reader:
        start, end = await reader.bounds()
        stream = f"artifact-memory.summary.{conversation_id}"
        records = [
            record
            async for batch in reader.upto(start, end)
            for record in batch
            if Filter(stream=stream).wants(record)
        ]
    assert [dict(record.headers)["ce_type"] for record in records[:1]] == [b"artifact.created"]
    assert summary["text"].encode() not in b"".join(record.value for record in records)

    await person.browser.delete(f"/v1/conversations/{conversation_id}")
    assert (await person.browser.get(f"/v1/conversations/{conversation_id}/summaries")).status_code == 404
    for _ in range(300):
        if await chat.installation.services.log.pool.fetchval(
            "SELECT archived FROM read.artifacts WHERE artifact_id = $1", f"memory.summary.{conversation_id}"
        ):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the summary of a deleted conversation was not archived")
