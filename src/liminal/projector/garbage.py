"""Python's cyclic collector, kept from walking through whole batches of events again and again.

Events hold no cycles, so counting references frees them; the collector, which runs after so many allocations,
took a third of a worker's time. A process that folds collects every few seconds instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncGenerator

EVERY = 5.0
"""Seconds between collections."""


@contextlib.asynccontextmanager
async def collected_seldom() -> AsyncGenerator[None]:
    """For a process of our own: what was imported is never looked at again, the rest every few seconds."""
    gc.collect()
    gc.freeze()
    gc.disable()
    task = asyncio.create_task(_collect(), name="garbage")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        gc.enable()
        gc.unfreeze()


async def _collect() -> None:
    while True:
        await asyncio.sleep(EVERY)
        gc.collect()
