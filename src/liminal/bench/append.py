"""Onto the log: sealed, validated, acknowledged by every replica."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Annotated

import typer

from liminal.bench.figures import Figure, Json, percentile, report
from liminal.bench.ground import ground, services
from liminal.bench.progress import progress_bar
from liminal.bench.traffic import Traffic, fill
from liminal.log.log import Log
from liminal.settings import Settings


def append(
    events: Annotated[int, typer.Option(help="Events appended in bulk.")] = 100_000,
    single: Annotated[int, typer.Option(help="Events appended one after another.")] = 500,
    json: Json = False,
) -> None:
    """Append encrypted messages: in bulk, and one after another."""
    with services() as settings:
        report(asyncio.run(_measure(settings, events, single)), json)


async def _measure(settings: Settings, events: int, single: int) -> list[Figure]:
    async with ground(settings, partitions=4) as own, Log.open(own) as log:
        traffic = Traffic()
        await fill(log, traffic, 2000, lambda _done, _total: None)  # connections and keys are made
        with progress_bar("appending") as bar:
            began = time.perf_counter()
            await fill(log, Traffic(seed=2), events, bar)
            bulk = events / (time.perf_counter() - began)
        taken: list[float] = []
        for item in itertools.islice(traffic.messages(), single):
            began = time.perf_counter()
            await log.append(*item)
            taken.append(1000 * (time.perf_counter() - began))
        return [
            Figure(name="append in bulk", value=bulk, unit="ev/s"),
            Figure(name="append one, p50", value=percentile(taken, 0.5), unit="ms"),
            Figure(name="append one, p99", value=percentile(taken, 0.99), unit="ms"),
        ]
