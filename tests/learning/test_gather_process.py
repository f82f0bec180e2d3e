"""The process that gathers, killed in the middle of a pass."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psutil
import pytest
from tests.learning.evidence import CONVERSIONS, Judge, tell
from tests.learning.test_gather import installed
from tests.processes import working as process

from liminal.log.log import Log
from liminal.settings import Settings

PATIENCE = 600
"""Seconds that a busy machine may take to load the encoder."""


async def until(there: Callable[[], Awaitable[Any]]) -> None:
    """Return once it is so."""
    async with asyncio.timeout(PATIENCE):
        while not await there():  # noqa: ASYNC110  another process writes it
            await asyncio.sleep(0.02)


async def count(log: Log, where: str) -> int:
    return await log.pool.fetchval(f"SELECT count(*) FROM {where}")


async def none(log: Log, where: str) -> bool:
    return await count(log, where) == 0


@pytest.mark.slow  # two processes that import UMAP; a worker that dies at each stage is in test_gather.py
async def test_kill_9_in_the_middle_of_a_pass_leaves_no_orphan_and_the_next_process_ends_it(
    settings: Settings,
) -> None:
    settings.home.mkdir(parents=True)
    async with installed(settings) as (log, _):
        await tell(log, Judge("ada").likes(CONVERSIONS[:10]))
        async with process(settings, "consumers.gather") as first:
            await until(lambda: count(log, "read.clustering_runs"))
            children = psutil.Process(first.pid).children()
            first.kill()
            first.wait()
        gone, alive = await asyncio.to_thread(psutil.wait_procs, children, 20)
        assert (len(gone), alive) == (len(children), [])
        async with process(settings, "consumers.gather"):
            await until(lambda: count(log, "read.skills WHERE state = 'approved'"))
            await until(lambda: none(log, "read.clustering_runs WHERE completed_at IS NULL"))
        assert await count(log, "read.clustering_runs WHERE scope = 'user'") == 1
        (cluster,) = await log.pool.fetch("SELECT size, label FROM read.clusters WHERE scope = 'user'")
        assert cluster["size"] == 10
        assert cluster["label"] is not None
