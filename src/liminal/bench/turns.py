"""What the system adds to the bare engine: from a command on a socket to every token of its answer."""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import httpx
import psutil
import typer
import uvloop

from liminal.bench.figures import Figure, Json, percentile, report
from liminal.bench.ground import ground, projector_process, services, serving_process
from liminal.bench.progress import progress_bar
from liminal.bench.talkers import Account, Talker, Turn, sign_up, visible_after
from liminal.identity.service import Identity
from liminal.log.log import Log
from liminal.projector.resources import open_resources
from liminal.settings import Settings
from liminal.storage.redis import connect_redis

ACCOUNTS = 40
"""People; a partition of the log is shared by several, an account by several sockets."""
ANSWER = 20
"""Tokens of an answer while single turns are timed."""
WARM_UP = 2
"""Turns of every socket that do not count: connections, plans and caches are made."""
LOOKS = 20
"""Turns of every socket whose message is looked for in the history."""
CANCELS = 10
"""Turns of every socket that are stopped at their first token."""
STREAMED = 200
"""Tokens of a long answer."""


def turns(
    talkers: Annotated[int, typer.Option(help="Sockets that take turns one after another.")] = 10,
    rounds: Annotated[int, typer.Option(help="Turns of each.")] = 20,
    streams: Annotated[int, typer.Option(help="Sockets that stream a long answer at once.")] = 200,
    idle: Annotated[int, typer.Option(help="Sockets that only stay open.")] = 2000,
    json: Json = False,
) -> None:
    """Take turns over websockets, answered by a worker whose engine emits 20 tokens a second.

    Projector, API and worker run as processes of their own, as in a stack, on the same cores as the clients.
    Each token says when the engine was asked and when it spoke, so its own time is taken off in the same run.
    """
    with services() as settings:
        report(uvloop.run(_measure(settings, talkers, rounds, streams, idle)), json)


@dataclass(frozen=True, slots=True)
class Town:
    """What runs, and who lives there."""

    http: httpx.AsyncClient
    port: int
    api: psutil.Process
    accounts: Sequence[Account]


async def _measure(settings: Settings, talkers: int, rounds: int, streams: int, idle: int) -> list[Figure]:
    async with ground(settings, partitions=4) as own, _town(own) as town:
        single = await _single(town, talkers, rounds)
        visible = await _history(town, talkers)
        stopped = await _cancelled(town, talkers)
        many = await _many(town, streams)
        memory = await _idle(town, idle)
    firsts = [turn.first for turn in single]
    tokens = list(itertools.chain.from_iterable(turn.tokens for turn in single))
    crowded = list(itertools.chain.from_iterable(turn.tokens for turn in many))
    lost = streams * STREAMED - sum(len(turn.tokens) for turn in many if turn.whole)
    crowd = f"{streams} sockets at 20 tokens/s"
    return [
        Figure(name="accepted, p50", value=percentile([t.accepted for t in single], 0.5), unit="ms"),
        Figure(name="first token, added, p50", value=percentile(firsts, 0.5), unit="ms").at_most(25),
        Figure(name="first token, added, p99", value=percentile(firsts, 0.99), unit="ms").at_most(80),
        Figure(name="token, added, p50", value=percentile(tokens, 0.5), unit="ms").at_most(5),
        Figure(name="token, added, p99", value=percentile(tokens, 0.99), unit="ms"),
        Figure(name="in the history after accepted, p50", value=percentile(visible, 0.5), unit="ms"),
        Figure(name="in the history after accepted, p99", value=percentile(visible, 0.99), unit="ms").at_most(
            50
        ),
        Figure(name="cancel to cancelled, p99", value=percentile(stopped, 0.99), unit="ms").at_most(200),
        Figure(name=f"{crowd}: lost", value=lost, unit="tokens").at_most(0),
        Figure(name=f"{crowd}: token, added, p50", value=percentile(crowded, 0.5), unit="ms").at_most(5),
        Figure(name=f"{crowd}: token, added, p99", value=percentile(crowded, 0.99), unit="ms"),
        Figure(name=f"{idle:,} idle sockets, memory of the API", value=memory, unit="MiB").at_most(
            200 * idle / 2000
        ),
    ]


@asynccontextmanager
async def _town(settings: Settings) -> AsyncGenerator[Town]:
    """Projector, API and paced worker on a fresh database and topic, and accounts."""
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(Log.open(settings))
        async with open_resources(settings):
            pass  # the read models exist before the first event
        redis = await connect_redis(settings)
        stack.push_async_callback(redis.aclose)
        await stack.enter_async_context(projector_process(settings))
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
        port = listening.getsockname()[1]
        api = await stack.enter_async_context(
            serving_process(
                settings,
                "liminal.cli",
                "api",
                descriptors=[listening.fileno()],
                LIMINAL_WEB_FD=str(listening.fileno()),
                LIMINAL_RATE_FACTOR="0",
            )
        )
        await stack.enter_async_context(
            # the clients of one partition may be more than a worker takes at once by default
            serving_process(settings, "liminal.bench.paced", LIMINAL_TURNS_IN_FLIGHT="4096")
        )
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers={"X-Liminal": "1"}, timeout=30)
        )
        identity = Identity(log, redis, namespace=settings.topic, rate_factor=0)
        stack.callback(identity.passwords.close)
        accounts = [await sign_up(http, identity, number) for number in range(ACCOUNTS)]
        yield Town(http, port, psutil.Process(api.pid), accounts)


async def _single(town: Town, talkers: int, rounds: int) -> list[Turn]:
    """Turns of some sockets, one after another with pauses of up to a second."""
    found: list[Turn] = []
    with progress_bar("single turns") as bar:

        async def talk(account: Account) -> None:
            talker, turn = await Talker.connect(town.port, account), None
            for number in range(rounds + WARM_UP):
                await asyncio.sleep(random.uniform(0, 1))
                turn = await talker.turn(ANSWER, turn)
                if not turn.whole:
                    raise RuntimeError("a turn was not answered whole")
                if number >= WARM_UP:
                    found.append(turn)
                    bar(len(found), talkers * rounds)
            await talker.close()

        async with asyncio.TaskGroup() as group:
            for account in itertools.islice(itertools.cycle(town.accounts), talkers):
                group.create_task(talk(account))
    return found


async def _history(town: Town, talkers: int) -> list[float]:
    """Milliseconds from ``accepted`` until the history shows the message, of some turns one after another."""
    visible: list[float] = []
    with progress_bar("history") as bar:

        async def talk(account: Account) -> None:
            talker, turn = await Talker.connect(town.port, account), None
            for _ in range(LOOKS):
                # as people do: all at once, the looks would wait for each other
                await asyncio.sleep(random.uniform(0, 1))
                accepted: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
                looking = asyncio.create_task(visible_after(town.http, account, accepted))
                turn = await talker.turn(1, turn, accepted)
                visible.append(await looking)
                bar(len(visible), talkers * LOOKS)
            await talker.close()

        async with asyncio.TaskGroup() as group:
            for account in itertools.islice(itertools.cycle(town.accounts), talkers):
                group.create_task(talk(account))
    return visible


async def _cancelled(town: Town, talkers: int) -> list[float]:
    """Milliseconds from ``cancel`` to ``cancelled``, of some turns one after another."""
    taken: list[float] = []

    async def talk(account: Account) -> None:
        talker = await Talker.connect(town.port, account)
        for _ in range(CANCELS):
            taken.append(await talker.cancelled())  # noqa: PERF401  one after another
        await talker.close()

    async with asyncio.TaskGroup() as group:
        for account in itertools.islice(itertools.cycle(town.accounts), talkers):
            group.create_task(talk(account))
    return taken


async def _many(town: Town, count: int) -> list[Turn]:
    """One long answer on each of many sockets at once."""
    talkers = [
        await Talker.connect(town.port, account)
        for account in itertools.islice(itertools.cycle(town.accounts), count)
    ]
    found: list[Turn] = []
    with progress_bar("streaming") as bar:

        async def talk(talker: Talker) -> None:
            await asyncio.sleep(random.uniform(0, 2))
            found.append(await talker.turn(STREAMED))
            bar(len(found), count)

        async with asyncio.TaskGroup() as group:
            for talker in talkers:
                group.create_task(talk(talker))
    for talker in talkers:
        await talker.close()
    return found


async def _idle(town: Town, count: int) -> float:
    """MiB that the API's process grows by for so many sockets, each answered once."""
    before = town.api.memory_info().rss
    open_: list[Talker] = []
    with progress_bar("idle sockets") as bar:
        for account in itertools.islice(itertools.cycle(town.accounts), count):
            talker = await Talker.connect(town.port, account)
            await talker.ping()
            open_.append(talker)
            bar(len(open_), count)
    grown = town.api.memory_info().rss - before
    for talker in open_:
        await talker.close()
    return grown / 2**20
