"""What the projector's tests share: a log with a database and a topic of its own, and who folds it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from liminal.log.log import Log
from liminal.projector.reader import end_offsets
from liminal.projector.resources import Resources, open_resources
from liminal.projector.worker import Worker
from liminal.settings import Settings


@pytest.fixture
async def log(settings: Settings) -> AsyncGenerator[Log]:
    """An open log."""
    async with Log.open(settings) as log:
        yield log


@pytest.fixture
async def resources(settings: Settings, log: Log) -> AsyncGenerator[Resources]:
    """Every projection with a live, empty generation; nothing folds them yet."""
    async with open_resources(settings) as resources:
        yield resources


@asynccontextmanager
async def working(resources: Resources, **options: int) -> AsyncGenerator[Worker]:
    """A worker that folds until the block ends; what it raises is raised there."""
    worker = Worker(resources, **options)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await task


@pytest.fixture
async def worker(resources: Resources) -> AsyncGenerator[Worker]:
    """A worker that folds during the test."""
    async with working(resources) as worker:
        yield worker


async def fold_everything(resources: Resources) -> None:
    """Fold the log to its end, and stop."""
    async with working(resources):
        await caught_up(resources)


async def caught_up(resources: Resources) -> None:
    """Return when every live read model has what is on the log now."""
    ends = await end_offsets(resources.settings, range(resources.settings.partitions))
    while True:
        rows = await resources.pool.fetch(
            'SELECT partition, min("offset") AS reached FROM read.progress GROUP BY partition'
        )
        if all(row["reached"] >= ends[row["partition"]] for row in rows):
            return
        await asyncio.sleep(0.02)
