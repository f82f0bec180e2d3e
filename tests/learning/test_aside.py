"""Whoever learns stands aside while somebody is answered, as a whole process, and is never left standing."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
import uuid
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator

import psutil
import pytest
from redis.asyncio import Redis
from tests.processes import working

from liminal.chat.frames import Cancelled, MessageDone, Token, Usage
from liminal.chat.keys import Keys
from liminal.chat.streams import FrameWriter
from liminal.chat.waiting import WaitingTurns
from liminal.learning.training.aside import LONGEST, Pacer
from liminal.settings import Settings

SOON = 5.0


@pytest.fixture
async def redis(redis_url: str) -> AsyncGenerator[Redis]:
    async with Redis.from_url(redis_url, client_name=f"c-{uuid.uuid4().hex[:8]}") as client:
        yield client


@pytest.fixture
def keys() -> Keys:
    return Keys(f"t-{uuid.uuid4().hex[:8]}")


@pytest.fixture
async def busy() -> AsyncGenerator[Process]:
    """A process with work to do."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "while True: pass")
    yield process
    process.kill()
    await process.wait()


@contextlib.asynccontextmanager
async def paced(redis: Redis, keys: Keys, process: Process) -> AsyncGenerator[None]:
    pacing = asyncio.create_task(Pacer(redis, keys, process).run())
    async with asyncio.timeout(SOON):
        while await redis.pubsub_numsub(keys.answering) != [(keys.answering.encode(), 1)]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    yield
    pacing.cancel()
    await asyncio.gather(pacing, return_exceptions=True)


def stands(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


async def until(wanted: bool, pid: int) -> None:
    """Return once the process stands still, or goes on."""
    end = time.monotonic() + SOON
    while stands(pid) is not wanted:
        assert time.monotonic() < end, f"it {'goes on' if wanted else 'stands still'}"
        await asyncio.sleep(0.005)


async def worked(pid: int, seconds: float) -> float:
    """The share of the time that the process had a processor."""
    before = sum(psutil.Process(pid).cpu_times()[:2])
    await asyncio.sleep(seconds)
    return (sum(psutil.Process(pid).cpu_times()[:2]) - before) / seconds


@pytest.mark.parametrize("ending", ["said", "cancelled"])
async def test_it_stands_still_from_the_question_until_the_answers_last_frame(
    redis: Redis, keys: Keys, busy: Process, ending: str
) -> None:
    turn_id = uuid.uuid4()
    async with FrameWriter(redis, keys) as writer, paced(redis, keys, busy):
        await asyncio.sleep(0.3)  # it has worked, and so may stand
        assert not stands(busy.pid)
        await WaitingTurns(redis, keys).begins(turn_id)
        await until(True, busy.pid)
        turn = await writer.open(turn_id)
        writer.write(turn, Token(text="hello"))
        await writer.drain(turn)
        await until(True, busy.pid)  # on a slow machine it may just have been let go for a moment
        usage = Usage(prompt_tokens=1, completion_tokens=1)
        done = MessageDone(message={}, finish_reason="stop", usage=usage)
        writer.write(turn, done if ending == "said" else Cancelled())
        await writer.drain(turn)
        await until(False, busy.pid)
        assert await WaitingTurns(redis, keys).answering() == 0


async def test_people_who_never_pause_halve_its_speed_and_no_more(
    redis: Redis, keys: Keys, busy: Process
) -> None:
    async with paced(redis, keys, busy):
        await WaitingTurns(redis, keys).begins(uuid.uuid4())
        assert 0.1 < await worked(busy.pid, 3.0) < 0.8


async def test_an_answer_that_takes_too_long_is_not_waited_for(
    redis: Redis, keys: Keys, busy: Process
) -> None:
    await redis.zadd(keys.answering, {"somebody": time.time() - 60})
    async with paced(redis, keys, busy):
        await asyncio.sleep(0.3)
        assert not stands(busy.pid)


async def test_it_goes_on_when_redis_is_lost_and_stands_aside_again_afterwards(
    redis: Redis, keys: Keys, busy: Process
) -> None:
    async with paced(redis, keys, busy):
        await asyncio.sleep(0.3)
        await WaitingTurns(redis, keys).begins(uuid.uuid4())
        await until(True, busy.pid)
        name = await redis.client_getname()
        [hearing] = [c for c in await redis.client_list("pubsub") if c["name"] == name]
        await redis.client_kill_filter(_id=hearing["id"])
        await redis.delete(keys.answering)
        await until(False, busy.pid)
        await asyncio.sleep(LONGEST)
        await WaitingTurns(redis, keys).begins(uuid.uuid4())
        await until(True, busy.pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_who_ends_the_learner_ends_its_worker_even_where_it_stands(
    settings: Settings, redis: Redis, number: signal.Signals
) -> None:
    async with working(settings, "consumers.learn") as process:
        [worker] = psutil.Process(process.pid).children()
        await WaitingTurns(redis, Keys(settings.topic)).begins(uuid.uuid4())
        await until(True, worker.pid)
        process.send_signal(number)
        assert await asyncio.to_thread(process.wait, 15) == (0 if number == signal.SIGTERM else -9)
        await asyncio.to_thread(worker.wait, 5)
