"""One process of a rebuild: ``python -m liminal.projector.rebuilder``, its job as a line of JSON on stdin.

It ends when it is done, when its stdin closes, and when it meets what it can't fold: then with status 1 and
the error as a line of JSON on stdout.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import orjson

from liminal.errors import LiminalError
from liminal.projector.generation import generations
from liminal.projector.rebuild import fold_partitions
from liminal.projector.resources import open_resources
from liminal.settings import Settings


async def _parent_is_gone() -> None:
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


async def work(job: dict[str, Any]) -> None:
    """Fold the job's partitions up to their targets."""
    async with open_resources(Settings(**job["settings"])) as resources:
        async with resources.pool.acquire() as connection:
            chosen = [g for g in await generations(connection) if g.id in job["generations"]]
        targets = {int(partition): target for partition, target in job["targets"].items()}
        await fold_partitions(resources, chosen, targets, park=job["park"])


async def _main() -> int:
    job = orjson.loads(sys.stdin.buffer.readline())
    working, orphaned = asyncio.create_task(work(job)), asyncio.create_task(_parent_is_gone())
    await asyncio.wait([working, orphaned], return_when=asyncio.FIRST_COMPLETED)
    if not working.done():
        return 2
    try:
        working.result()
    except LiminalError as error:
        said = orjson.dumps({"code": error.code, "message": error.message, **error.details})
        sys.stdout.buffer.write(said + b"\n")
        sys.stdout.flush()
        return 1
    return 0


if __name__ == "__main__":
    status = asyncio.run(_main())
    # the thread that waits for stdin to close would hold the process
    os._exit(status)
