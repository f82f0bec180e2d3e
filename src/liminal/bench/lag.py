"""How soon what is appended can be read, and how soon a command knows its verdict, while the log is busy."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from liminal.bench.figures import Figure, Json, percentile, report
from liminal.bench.ground import ground, projector_process, services
from liminal.bench.progress import progress_bar
from liminal.bench.traffic import Item, Traffic, fill
from liminal.log.envelope import Meta
from liminal.log.errors import VersionConflict
from liminal.log.events import TurnRouted
from liminal.log.ids import new_id
from liminal.log.log import Log
from liminal.projector.resources import open_resources
from liminal.settings import Settings

WRITERS = 64
WARM_UP = 2.0
"""Seconds at the beginning that do not count: connections, plans and caches are made."""


def lag(
    rate: Annotated[int, typer.Option(help="Events a second appended, one by one.")] = 1000,
    seconds: Annotated[float, typer.Option(help="For how long.")] = 15.0,
    rounds: Annotated[int, typer.Option(help="Versioned events of each of the 64 writers.")] = 30,
    json: Json = False,
) -> None:
    """Append at a steady rate and wait for each event to be visible; then let 64 writers ask for verdicts.

    The projector runs as a process of its own, this one appends, waits and measures, all on the same cores.
    """
    with services() as settings:
        report(asyncio.run(_measure(settings, rate, seconds, rounds)), json)


async def _measure(settings: Settings, rate: int, seconds: float, rounds: int) -> list[Figure]:
    async with ground(settings, partitions=4) as own, Log.open(own) as log:
        async with open_resources(own):
            pass  # the read models exist before the first event
        async with projector_process(own):
            traffic = Traffic()
            await fill(log, traffic, 1000, lambda _done, _total: None)
            await log.wait_for(await log.append(*next(traffic.messages())), timeout=60)
            visible, woken = await _steady(log, traffic, rate, seconds)
            own_streams = await _writers(log, rounds, _alone)
            one_stream = await _writers(log, rounds, _together())
    return [
        Figure(name=f"append to visible at {rate:,} ev/s, p50", value=percentile(visible, 0.5), unit="ms"),
        Figure(
            name=f"append to visible at {rate:,} ev/s, p99", value=percentile(visible, 0.99), unit="ms"
        ).at_most(50),
        Figure(name="wait_for woken, p50", value=percentile(woken, 0.5), unit="ms"),
        Figure(name="wait_for woken, p99", value=percentile(woken, 0.99), unit="ms").at_most(100),
        Figure(name="verdict, 64 writers, p50", value=percentile(own_streams, 0.5), unit="ms"),
        Figure(name="verdict, 64 writers, p99", value=percentile(own_streams, 0.99), unit="ms").at_most(150),
        Figure(
            name="verdict, 64 writers on one stream, p99", value=percentile(one_stream, 0.99), unit="ms"
        ).at_most(150),
    ]


async def _steady(log: Log, traffic: Traffic, rate: int, seconds: float) -> tuple[list[float], list[float]]:
    """Milliseconds from the call of append to visible, and from its ack to woken."""
    visible: list[float] = []
    woken: list[float] = []
    begin = time.perf_counter()

    async def one(item: Item) -> None:
        called = time.perf_counter()
        position = await log.append(*item)
        acked = time.perf_counter()
        await log.wait_for(position, "conversations")
        done = time.perf_counter()
        if called - begin > WARM_UP:
            visible.append(1000 * (done - called))
            woken.append(1000 * (done - acked))

    total = int(rate * (seconds + WARM_UP))
    with progress_bar("appending") as bar:
        async with asyncio.TaskGroup() as group:
            for number, item in enumerate(itertools.islice(traffic.messages(), total)):
                if (ahead := begin + number / rate - time.perf_counter()) > 0:
                    await asyncio.sleep(ahead)
                group.create_task(one(item))
                if number % 100 == 0:
                    bar(number, total)
    return visible, woken


Write = Callable[[Log, str, int], Awaitable[None]]
"""What a writer does: its owner, and which round it is."""


async def _writers(log: Log, rounds: int, write: Write) -> list[float]:
    """Milliseconds from append to verdict of 64 writers side by side."""
    taken: list[float] = []

    async def writer(owner: str) -> None:
        for number in range(rounds + 2):
            began = time.perf_counter()
            await write(log, owner, number)
            if number >= 2:
                taken.append(1000 * (time.perf_counter() - began))

    async with asyncio.TaskGroup() as group:
        for _ in range(WRITERS):
            group.create_task(writer(str(new_id())))
    return taken


async def _alone(log: Log, owner: str, number: int) -> None:
    event, meta = _routed(owner)
    await log.append(event, meta, expected_version=0)


def _together() -> Write:
    """Everybody asks for the next version of one stream; most are told that it is taken."""
    event, meta = _routed(str(new_id()))
    known = 0

    async def write(log: Log, owner: str, number: int) -> None:
        nonlocal known
        try:
            await log.append(event, meta, expected_version=known)
        except VersionConflict as conflict:
            known = max(known, conflict.details["actual"])

    return write


def _routed(owner: str) -> tuple[TurnRouted, Meta]:
    turn = new_id()
    event = TurnRouted(
        conversation_id=new_id(),
        turn_id=turn,
        user_message_id=new_id(),
        assistant_message_id=new_id(),
        model="bench",
        seed=1,
    )
    return event, Meta(owner=owner, tenant="bench", actor=owner, stream=f"turn-{turn}")
