"""A rebuild of every read model from a log of encrypted messages, over all partitions and cores."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import typer

from liminal.bench.figures import Figure, Json, report
from liminal.bench.ground import ground, services
from liminal.bench.progress import progress_bar
from liminal.bench.traffic import Traffic, fill
from liminal.log.log import Log
from liminal.projector.rebuild import Progress, plan_rebuild, run_rebuild
from liminal.projector.resources import open_resources
from liminal.settings import Settings

PARTITIONS = 4


def rebuild(
    events: Annotated[int, typer.Option(help="Messages on the log; a million for the figures.")] = 200_000,
    workers: Annotated[int | None, typer.Option(help="Processes; one a core by default.")] = None,
    json: Json = False,
) -> None:
    """Rebuild every read model over four partitions: the start of the processes and the indexes included."""
    with services() as settings:
        report(asyncio.run(_measure(settings, events, workers)), json)


async def _measure(settings: Settings, events: int, workers: int | None) -> list[Figure]:
    async with ground(settings, partitions=PARTITIONS) as own:
        async with Log.open(own) as log:
            with progress_bar("appending") as bar:
                await fill(log, Traffic(), events, bar)
        async with open_resources(own) as resources:
            plan = await plan_rebuild(resources)
            began = time.perf_counter()
            indexing: list[float] = []
            with progress_bar("rebuilding") as bar:

                def show(progress: Progress) -> None:
                    bar(progress.done, progress.total)
                    if progress.phase != "fold":
                        indexing.append(time.perf_counter())

                await run_rebuild(resources, plan, workers=workers, on_progress=show)
            ended = time.perf_counter()
    return [
        Figure(name="rebuild over 4 partitions", value=events / (ended - began), unit="ev/s").at_least(
            40_000
        ),
        Figure(name="of it building indexes", value=ended - indexing[0], unit="s"),
    ]
