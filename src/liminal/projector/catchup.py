"""Folding one partition up to an offset, into generations that may stand at different places."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from liminal.projector.batch import Batch
from liminal.projector.errors import Fenced
from liminal.projector.fold import Folder, Prepared, Standing, read_standings
from liminal.projector.generation import Generation
from liminal.projector.reader import BATCH, ahead, read_batches
from liminal.projector.resources import Resources
from liminal.projector.session import Session

FENCED_PAUSE = 0.02
"""Seconds before looking again where things stand."""


async def fold_range(
    resources: Resources,
    session: Session,
    folder: Folder,
    generations: Sequence[Generation],
    partition: int,
    stop: int,
    *,
    size: int = BATCH,
) -> None:
    """Fold a partition until every one of these generations stands at ``stop`` or beyond.

    Those that are behind go first, until all of them fold together. Another worker may be at the same work:
    who is fenced reads where things stand and goes on from there. Raises what ``Folder.fold`` raises else.
    """
    while True:
        standings = await session.attempt(lambda c: read_standings(c, generations, partition))
        behind = [s for s in standings if s.position < stop]
        if not behind:
            return
        start = min(s.position for s in behind)
        last = [s for s in behind if s.position == start]
        upto = min([stop, *(s.position for s in behind if s.position > start)])
        reading = folder.group(last).reading
        batches = read_batches(
            resources.settings, resources.decoder, reading, partition, start, upto, size=size
        )
        try:
            async for batch, prepared in ahead(_prepared(folder, last, batches)):
                await folder.fold(last, batch, prepared)
        except Fenced:
            await asyncio.sleep(FENCED_PAUSE)


async def _prepared(
    folder: Folder, standings: Sequence[Standing], batches: AsyncGenerator[Batch]
) -> AsyncGenerator[tuple[Batch, Prepared | None]]:
    async for batch in batches:
        yield batch, folder.prepare(standings, batch)
