"""Two sockets of one person, driven at random: whatever happens to them, both end with what is on the log."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from tests.api.installation import Person
from tests.chat.conftest import Chat, Client
from tests.chat.test_turns import messages_of
from websockets.exceptions import ConnectionClosed

from liminal.chat.frames import FINAL_TYPES, BadCommand, parse_command
from liminal.log.read import Filter, open_reader

pytestmark = pytest.mark.usefixtures("worker")
SMALL, LARGE = (5, 12), (120, 30)
"""Examples, and steps of each."""
WITHIN = 60

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | WORDS, lambda inner: st.lists(inner, max_size=3)
)


def is_noise(message: str | bytes) -> bool:
    """Whether a message is no command; a ping may come up by chance."""
    try:
        parse_command(message)
    except BadCommand:
        return True
    return False


NOISE = st.one_of(
    st.text(max_size=40),
    st.binary(max_size=40),
    JSON.map(lambda value: orjson.dumps(value).decode()),
    st.dictionaries(
        st.sampled_from(
            ["cmd", "v", "turn_id", "client_id", "content", "after_seq", "options", "message_id"]
        ),
        JSON | st.sampled_from(["send", "edit", "regenerate", "cancel", "resume", "ping", str(uuid.uuid4())]),
    ).map(lambda value: orjson.dumps(value).decode()),
).filter(is_noise)


@dataclass
class Transcript:
    """The frames of one turn by number, as one client has them."""

    frames: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    again: bool = False
    """The client asked for frames that it has already."""
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, frame: dict[str, Any]) -> None:
        seq = frame["seq"]
        if seq in self.frames:
            assert self.again, f"frame {seq} came twice"
            assert frame == self.frames[seq]
        else:
            assert seq == len(self.frames) + 1, f"frame {seq} came after {len(self.frames)}"
            self.frames[seq] = frame
        if frame["type"] in FINAL_TYPES:
            self.done.set()

    @property
    def said(self) -> str:
        """What its tokens say together."""
        return "".join(frame["text"] for frame in self.frames.values() if frame["type"] == "token")


class Browser:
    """A client as our interface is one: it repeats what was not accepted and resumes what did not end."""

    def __init__(self, chat: Chat, person: Person, token: str) -> None:
        self._chat, self._person, self._token = chat, person, token
        self._open = contextlib.AsyncExitStack()
        self._reader: asyncio.Task[None] | None = None
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self.turns: dict[str, Transcript] = {}
        self.refused = 0

    async def connect(self) -> None:
        self._client: Client = await self._open.enter_async_context(
            self._chat.socket(self._person, token=self._token)
        )
        self._reader = asyncio.create_task(self._read())
        for turn_id, transcript in self.turns.items():
            if not transcript.done.is_set():
                await self._client.command("resume", turn_id=turn_id, after_seq=len(transcript.frames))

    async def close(self) -> None:
        await self._open.aclose()
        assert self._reader is not None
        await asyncio.wait_for(self._reader, WITHIN)

    async def cut(self) -> None:
        """The network goes away without a word, and comes back."""
        self._client.connection.transport.abort()
        await self.close()
        await self.connect()

    async def post(self, cmd: str, **fields: Any) -> dict[str, Any]:
        """Send a command until it is accepted or refused, and follow its turn."""
        client_id = str(uuid.uuid4())
        self._answers[client_id] = asyncio.get_running_loop().create_future()
        options = {"max_tokens": fields.pop("tokens"), "temperature": 1.0}
        await self._client.command(cmd, client_id=client_id, options=options, **fields)
        return await asyncio.wait_for(self._answers[client_id], WITHIN)

    async def post_over_a_cut(self, **fields: Any) -> dict[str, Any]:
        """Send a message, lose the socket, send it again on the next one."""
        client_id = str(uuid.uuid4())
        answer = self._answers[client_id] = asyncio.get_running_loop().create_future()
        fields["options"] = {"max_tokens": 40}
        await self._client.command("send", client_id=client_id, **fields)
        await self.cut()
        if answer.done():
            if answer.result()["type"] == "error":
                return answer.result()
            self.turns[answer.result()["turn_id"]].again = True
        await self._client.command("send", client_id=client_id, **fields)
        return await asyncio.wait_for(answer, WITHIN)

    async def resume(self, turn_id: str, after: int) -> None:
        transcript = self.turns.setdefault(turn_id, Transcript())
        transcript.again = True
        await self._client.command("resume", turn_id=turn_id, after_seq=min(after, len(transcript.frames)))

    async def cancel(self, turn_id: str) -> None:
        await self._client.command("cancel", turn_id=turn_id)

    async def shout(self, noise: str | bytes) -> None:
        """Send what is (most likely) no command, and hear that it is none."""
        refused = self.refused
        pong = self._answers["pong"] = asyncio.get_running_loop().create_future()
        await self._client.connection.send(noise)
        await self._client.command("ping")
        await asyncio.wait_for(pong, WITHIN)
        assert self.refused == refused + 1

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                self._take(orjson.loads(await self._client.connection.recv()))

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "pong":
            self._answers["pong"].set_result(frame)
        elif frame["type"] == "accepted":
            self.turns.setdefault(frame["turn_id"], Transcript())
            self._hear(frame)
        elif frame["seq"]:
            self.turns[frame["turn_id"]].add(frame)
        elif frame["type"] == "error" and frame["client_id"] in self._answers:
            self._hear(frame)
        else:
            assert frame["type"] == "error"
            self.refused += 1

    def _hear(self, frame: dict[str, Any]) -> None:
        answer = self._answers[frame["client_id"]]
        if answer.done():  # the command was sent twice
            assert answer.result() == frame
        else:
            answer.set_result(frame)


class Fuzz(RuleBasedStateMachine):
    """The rules; ``chat``, ``person`` and ``loop`` are set by the test."""

    chat: Chat
    person: Person
    token: str
    loop: asyncio.AbstractEventLoop
    log: dict[str, list[str]]
    """What both clients agreed on: turn → the text of its answer, if it came to one (which may be empty)."""

    accepted = Bundle("accepted")
    side = st.integers(0, 1)
    tokens = st.sampled_from([1, 5, 40, 300])

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run in the loop of the server and the fixtures."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WITHIN * 2)

    @initialize(target=accepted, content=WORDS, tokens=tokens)
    def connect(self, content: str, tokens: int) -> dict[str, Any]:
        self.browsers = [Browser(self.chat, self.person, self.token) for _ in range(2)]
        for browser in self.browsers:
            self.run(browser.connect())
        return self.run(self.browsers[0].post("send", content=content, tokens=tokens))

    @rule(target=accepted, side=side, content=WORDS, tokens=tokens)
    def begin(self, side: int, content: str, tokens: int) -> dict[str, Any]:
        return self.run(self.browsers[side].post("send", content=content, tokens=tokens))

    @rule(target=accepted, side=side, before=accepted, content=WORDS, tokens=tokens)
    def go_on(self, side: int, before: dict[str, Any], content: str, tokens: int) -> dict[str, Any]:
        about = {"conversation_id": before["conversation_id"]} if before["type"] == "accepted" else {}
        return self.run(self.browsers[side].post("send", content=content, tokens=tokens, **about))

    @rule(target=accepted, side=side, content=WORDS)
    def begin_over_a_cut(self, side: int, content: str) -> dict[str, Any]:
        return self.run(self.browsers[side].post_over_a_cut(content=content))

    @rule(target=accepted, side=side, before=accepted, content=WORDS, tokens=tokens)
    def edit(self, side: int, before: dict[str, Any], content: str, tokens: int) -> dict[str, Any]:
        message_id = before.get("user_message_id") or str(uuid.uuid4())
        return self.run(
            self.browsers[side].post("edit", message_id=message_id, content=content, tokens=tokens)
        )

    @rule(target=accepted, side=side, before=accepted, tokens=tokens)
    def regenerate(self, side: int, before: dict[str, Any], tokens: int) -> dict[str, Any]:
        message_id = before.get("user_message_id") or str(uuid.uuid4())
        return self.run(self.browsers[side].post("regenerate", message_id=message_id, tokens=tokens))

    @rule(side=side, turn=accepted)
    def cancel(self, side: int, turn: dict[str, Any]) -> None:
        if turn["type"] == "accepted":
            self.run(self.browsers[side].cancel(turn["turn_id"]))

    @rule(side=side, turn=accepted, after=st.integers(0, 40))
    def resume(self, side: int, turn: dict[str, Any], after: int) -> None:
        if turn["type"] == "accepted":
            self.run(self.browsers[side].resume(turn["turn_id"], after))

    @rule(side=side)
    def cut(self, side: int) -> None:
        self.run(self.browsers[side].cut())

    @rule(side=side, noise=NOISE)
    def shout(self, side: int, noise: str | bytes) -> None:
        self.run(self.browsers[side].shout(noise))

    def teardown(self) -> None:
        if hasattr(self, "browsers"):
            self.run(self.compare())

    async def compare(self) -> None:
        """Both clients follow every turn to its end, and hold it against the history."""
        one, two = self.browsers
        for turn_id in {*one.turns, *two.turns}:
            for browser in self.browsers:
                if turn_id not in browser.turns:
                    await browser.resume(turn_id, 0)
                transcript = browser.turns[turn_id]
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(transcript.done.wait(), WITHIN)
                assert transcript.done.is_set(), f"{turn_id} did not end: {transcript.frames}"
            transcript = one.turns[turn_id]
            assert transcript.frames == two.turns[turn_id].frames
            last = transcript.frames[len(transcript.frames)]
            assert last["type"] != "error", last
            self.log[turn_id] = [last["message"]["content"]] if last["message"] else []
            assert transcript.said == "".join(self.log[turn_id])
        for browser in self.browsers:
            await browser.close()


async def play(chat: Chat, person: Person, size: tuple[int, int]) -> dict[str, list[str]]:
    """Let the machine run; what it saw of every turn."""
    seen: dict[str, list[str]] = {}
    loop, token = asyncio.get_running_loop(), await chat.token(person)
    attributes = {"chat": chat, "person": person, "token": token, "loop": loop, "log": seen}
    machine = type("Fuzz", (Fuzz,), attributes)
    rules = settings(
        max_examples=size[0],
        stateful_step_count=size[1],
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=size == SMALL,
    )
    await asyncio.to_thread(run_state_machine_as_test, machine, settings=rules)
    return seen


async def compare_with_log(chat: Chat, person: Person, seen: dict[str, list[str]]) -> None:
    """Every turn that a client saw has exactly its answer on the log, and the history shows the same."""
    answers: dict[str, list[str]] = {turn_id: [] for turn_id in seen}
    async with open_reader(chat.installation.settings) as reader:
        start, end = await reader.bounds()
        wanted = Filter(types=("message.posted",))
        records = [
            record async for batch in reader.upto(start, end) for record in batch if wanted.wants(record)
        ]
    for event in await chat.installation.services.log.decoder.decode(records):
        if event["role"] == "assistant" and event["turn_id"] in answers:
            answers[event["turn_id"]].append(event["content"])
    assert answers == seen
    shown: dict[str, list[str]] = {turn_id: [] for turn_id in seen}
    page, after = "/v1/conversations?limit=200", ""
    while page:
        found = (await person.browser.get(page + after)).json()
        for conversation in found["items"]:
            for message in await messages_of(person, conversation["id"]):
                if message["role"] == "assistant":
                    shown[message["turn_id"]].append(message["content"])
        after = f"&cursor={found['next_cursor']}"
        page = page if found["next_cursor"] else ""
    assert shown == seen


async def test_whatever_happens_to_its_sockets_a_client_ends_with_what_is_on_the_log(
    chat: Chat, person: Person
) -> None:
    seen = await play(chat, person, SMALL)
    assert len(seen) >= SMALL[0]
    await compare_with_log(chat, person, seen)


@pytest.mark.slow
async def test_a_long_storm_of_sockets_ends_with_what_is_on_the_log(chat: Chat, person: Person) -> None:
    await compare_with_log(chat, person, await play(chat, person, LARGE))
