"""The watch reaction: live feedback rolls a worse version back. ``python -m consumers.watch``."""

from __future__ import annotations

import asyncio

from liminal.learning.adapters.watch_worker import watch_app
from liminal.log.reaction import run_app

if __name__ == "__main__":
    asyncio.run(run_app("watch", watch_app))
