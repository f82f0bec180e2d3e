"""The learn reaction: feedback becomes adapters. ``python -m consumers.learn``."""

from __future__ import annotations

import asyncio
import os

from liminal.learning.training.worker import learn_app
from liminal.logging import configure_logging
from liminal.settings import load_settings

NICENESS = 19
"""Training gives way to whoever waits for an answer on the same machine."""


async def main() -> None:
    """Learn until stopped."""
    os.nice(NICENESS)
    settings = load_settings()
    configure_logging(settings, "learn")
    async with learn_app(settings) as app:
        await app.run()


if __name__ == "__main__":
    asyncio.run(main())
