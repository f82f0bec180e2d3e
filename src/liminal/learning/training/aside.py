"""Standing aside: while somebody is answered, the process that learns is stopped, all its threads at once.

On a machine of few cores whatever runs beside an answer makes it slower, however low its priority: two cores
may be halves of one. To wait between two passes over the model would be too late: one takes longer than most
answers. So the process that works is a child of this one, which does nothing but hear of answers and send
SIGSTOP and SIGCONT. The kernel ends the child with it, so nobody stays stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from asyncio.subprocess import Process

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from liminal.chat.keys import Keys
from liminal.chat.waiting import WaitingTurns
from liminal.memory import give_memory_back
from liminal.settings import Settings
from liminal.stack.child import launch_command
from liminal.storage.redis import connect_redis

log = structlog.get_logger(__name__)

LONGEST = 2.0
"""Seconds that the worker is stopped at most, and never longer than it has worked since the last time: people
who chat without a pause halve its speed and no more."""
SHORTEST = 0.05
"""Seconds that it works in between."""
LOOK_EVERY = 15.0
"""Seconds between looks though nothing is heard."""
RETRY = 1.0
"""Seconds between attempts while Redis is away; nobody is answered then."""


async def run_aside(settings: Settings, module: str) -> int:
    """Run ``python -m module`` until it ends or a signal asks for it; returns its exit status.

    Raises RedisUnavailable.
    """
    redis = await connect_redis(settings)
    worker = await asyncio.create_subprocess_exec(*launch_command([sys.executable, "-m", module]))
    give_memory_back()
    async with contextlib.aclosing(redis), asyncio.TaskGroup() as group:
        pacing = group.create_task(Pacer(redis, Keys(settings.topic), worker).run())

        def end() -> None:
            pacing.cancel()
            _send(worker, signal.SIGTERM)

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, end)
        status = await worker.wait()
        pacing.cancel()
    return status if status >= 0 else 128 - status


def _send(worker: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        worker.send_signal(number)


class Pacer:
    """Stops a process while turns are answered."""

    def __init__(self, redis: Redis, keys: Keys, worker: Process) -> None:
        self._redis = redis
        self._channel = keys.answering
        self._turns = WaitingTurns(redis, keys)
        self._worker = worker
        self._went_on = time.monotonic()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as heard:
                    await heard.subscribe(self._channel)
                    while True:
                        await self._stand_aside(heard)
                        await heard.get_message(timeout=LOOK_EVERY)
            except RedisError as error:
                log.warning("learn.redis_away", error=str(error))
                await asyncio.sleep(RETRY)

    async def _stand_aside(self, heard: PubSub) -> None:
        while await self._turns.answering():
            worked = time.monotonic() - self._went_on
            if worked < SHORTEST:
                await asyncio.sleep(SHORTEST - worked)
                continue
            _send(self._worker, signal.SIGSTOP)
            try:
                await self._until_answered(heard, min(LONGEST, worked))
            finally:
                _send(self._worker, signal.SIGCONT)
                self._went_on = time.monotonic()

    async def _until_answered(self, heard: PubSub, within: float) -> None:
        end = time.monotonic() + within
        while (left := end - time.monotonic()) > 0 and await self._turns.answering():
            await heard.get_message(timeout=left)
