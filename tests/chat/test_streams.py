"""Frames of a turn pass through Redis once, in order, from whoever holds the turn."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncGenerator, Iterator
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from liminal.chat.frames import Citation, MessageDone, Routed, Token, TokenLogprob, Usage
from liminal.chat.keys import Keys
from liminal.chat.respond import Continuation
from liminal.chat.streams import FrameHub, FrameWriter, Superseded


class Reader:
    """Collects what a subscription hands over."""

    def __init__(self, room: int = 10_000) -> None:
        self.seqs: list[int] = []
        self.text = ""
        self.began = asyncio.Event()
        self.ended = asyncio.Event()
        self.room = room

    def __call__(self, turn_id: UUID, seq: int, kind: str, frame: bytes, final: bool) -> bool:
        if len(self.seqs) == self.room:
            return False
        self.seqs.append(seq)
        self.began.set()
        data = orjson.loads(frame)
        assert (data["turn_id"], data["seq"], data["type"]) == (str(turn_id), seq, kind)
        self.text += data.get("text", "")
        if final:
            self.ended.set()
        return True


@pytest.fixture
async def redis(redis_url: str) -> AsyncGenerator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def keys() -> Keys:
    return Keys(f"t-{uuid.uuid4().hex[:8]}")


@pytest.fixture
async def writer(redis: Redis, keys: Keys) -> AsyncGenerator[FrameWriter]:
    async with FrameWriter(redis, keys) as writer:
        yield writer


@pytest.fixture
async def hub(redis_url: str, keys: Keys) -> AsyncGenerator[FrameHub]:
    async with Redis.from_url(redis_url) as client, FrameHub(client, keys) as hub:
        yield hub


def done() -> MessageDone:
    return MessageDone(message={}, finish_reason="stop", usage=Usage(prompt_tokens=1, completion_tokens=1))


async def test_readers_that_come_early_late_and_in_the_middle_all_see_the_whole_answer_once(
    writer: FrameWriter, hub: FrameHub
) -> None:
    turn_id = uuid.uuid4()
    early, middle, late = Reader(), Reader(), Reader()
    await hub.subscribe(turn_id, 0, early)
    turn = await writer.open(turn_id)
    writer.write(turn, Routed(model="m", policy_version=0, seed=1))
    for number in range(50):
        writer.write(turn, Token(text=f"{number} "))
        if number == 20:
            await hub.subscribe(turn_id, 0, middle)
        if number % 7 == 0:
            await writer.drain(turn)
    writer.write(turn, done())
    await writer.drain(turn)
    await hub.subscribe(turn_id, 0, late)
    for reader in (early, middle, late):
        await asyncio.wait_for(reader.ended.wait(), 5)
        assert reader.text == "".join(f"{number} " for number in range(50))
        assert reader.seqs == list(range(1, len(reader.seqs) + 1))


async def test_a_reader_that_comes_while_the_only_other_one_leaves_gets_the_rest(
    writer: FrameWriter, hub: FrameHub
) -> None:
    turn_id = uuid.uuid4()
    turn = await writer.open(turn_id)
    writer.write(turn, Token(text="before "))
    await writer.drain(turn)
    leaving, staying = Reader(), Reader()
    first = await hub.subscribe(turn_id, 0, leaving)
    await asyncio.wait_for(leaving.began.wait(), 5)

    def sink(turn_id: UUID, seq: int, kind: str, frame: bytes, final: bool) -> bool:
        hub.unsubscribe(first)  # while this one is being brought up to where the other one was
        return staying(turn_id, seq, kind, frame, final)

    await hub.subscribe(turn_id, 0, sink)
    await asyncio.wait_for(staying.began.wait(), 5)
    writer.write(turn, Token(text="after"))
    writer.write(turn, done())
    await asyncio.wait_for(staying.ended.wait(), 5)
    assert staying.text == "before after"


async def test_a_reader_resumes_after_the_last_frame_it_saw(writer: FrameWriter, hub: FrameHub) -> None:
    turn = await writer.open(uuid.uuid4())
    for text in "abcdef":
        writer.write(turn, Token(text=text))
        await writer.drain(turn)
    reader = Reader()
    await hub.subscribe(turn.turn_id, 4, reader)
    writer.write(turn, done())
    await asyncio.wait_for(reader.ended.wait(), 5)
    assert (reader.text, reader.seqs) == ("ef", [5, 6, 7])


async def test_tokens_that_gather_while_redis_answers_become_one_frame(writer: FrameWriter) -> None:
    turn = await writer.open(uuid.uuid4())
    for text in "hello":
        writer.write(turn, Token(text=text))
    await writer.drain(turn)
    assert (turn.seq, turn.said) == (1, "hello")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.text(max_size=4), st.integers(0, 3)), max_size=8), st.data())
async def test_who_takes_a_turn_over_sends_what_was_not_sent_and_nothing_twice(
    writer: FrameWriter, answer: list[tuple[str, int]], data: st.DataObject
) -> None:
    def pieces() -> Iterator[Token]:
        numbers = itertools.count()
        for text, count in answer:
            logprobs = [TokenLogprob(text=str(next(numbers)), logprob=-1.0) for _ in range(count)]
            yield Token(text=text, logprobs=tuple(logprobs) or None)

    first = await writer.open(uuid.uuid4())
    for piece in itertools.islice(pieces(), data.draw(st.integers(0, len(answer)))):
        writer.write(first, piece)
    await writer.drain(first)
    second = await writer.open(first.turn_id)
    going_on = Continuation(second.said, second.weighed)
    for piece in pieces():
        if fresh := going_on.after(piece):
            writer.write(second, fresh)
    await writer.drain(second)
    third = await writer.open(first.turn_id)
    assert third.said == "".join(text for text, _ in answer)
    assert third.weighed == sum(count for _, count in answer)


async def test_a_worker_that_lost_its_turn_is_refused(writer: FrameWriter) -> None:
    turn_id = uuid.uuid4()
    first = await writer.open(turn_id)
    writer.write(first, Token(text="from the first"))
    await writer.drain(first)
    second = await writer.open(turn_id)
    assert (second.said, second.seq) == ("from the first", 1)
    writer.write(first, Token(text="too late"))
    with pytest.raises(Superseded):
        await writer.drain(first)
    writer.write(second, done())
    await writer.drain(second)
    third = await writer.open(turn_id)
    assert (third.finished, third.said, third.seq) == (True, "from the first", 2)


async def test_a_reader_without_room_is_left_alone_and_goes_on_where_it_was(
    writer: FrameWriter, hub: FrameHub
) -> None:
    turn = await writer.open(uuid.uuid4())
    for _ in range(600):
        writer.write(turn, Citation(citation={}))
    await writer.drain(turn)
    slow, quick = Reader(room=300), Reader()
    subscription = await hub.subscribe(turn.turn_id, 0, slow)
    await hub.subscribe(turn.turn_id, 0, quick)
    await asyncio.wait_for(subscription.done.wait(), 5)
    writer.write(turn, done())
    await asyncio.wait_for(quick.ended.wait(), 5)
    assert slow.seqs == list(range(1, 301))
    slow.room = 10_000
    await hub.subscribe(turn.turn_id, 300, slow)
    await asyncio.wait_for(slow.ended.wait(), 5)
    assert slow.seqs == quick.seqs == list(range(1, 602))
