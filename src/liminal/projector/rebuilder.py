"""A process of a rebuild: ``python -m liminal.projector.rebuilder``, its job as a line of JSON on stdin.

It ends when it is done, when its stdin closes, and when it meets what it can't fold: then with status 1 and
the error as a line of JSON on stdout.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import Any

import orjson

from liminal.errors import LiminalError
from liminal.projector.garbage import collected_seldom
from liminal.projector.generation import generations
from liminal.projector.rebuild import fold_partitions, read_plan, run_rebuild
from liminal.projector.resources import open_resources
from liminal.settings import Settings


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(2)


async def work(job: dict[str, Any]) -> None:
    """Run a whole rebuild, or fold some of its partitions up to their targets."""
    async with collected_seldom(), open_resources(Settings(**job["settings"])) as resources:
        if "rebuild" in job:
            return await run_rebuild(resources, await read_plan(resources, job["rebuild"]))
        async with resources.pool.acquire() as connection:
            chosen = [g for g in await generations(connection) if g.id in job["generations"]]
        targets = {int(partition): target for partition, target in job["targets"].items()}
        await fold_partitions(resources, chosen, targets, park=job["park"])
        return None


def main() -> int:
    """Do the job that stdin holds; returns the exit status."""
    job = orjson.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        asyncio.run(work(job))
    except LiminalError as error:
        said = orjson.dumps({"code": error.code, "message": error.message, **error.details})
        sys.stdout.buffer.write(said + b"\n")
        return 1
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # the thread that waits for stdin holds a lock that an orderly end would want
    os._exit(status)
