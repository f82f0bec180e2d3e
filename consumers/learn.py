"""The learn reaction: feedback becomes adapters. ``python -m consumers.learn``."""

from __future__ import annotations

import asyncio

from liminal.learning.worker import learn_app
from liminal.logging import configure_logging
from liminal.settings import load_settings


async def main() -> None:
    """Learn until stopped."""
    settings = load_settings()
    configure_logging(settings, "learn")
    async with learn_app(settings) as app:
        await app.run()


if __name__ == "__main__":
    asyncio.run(main())
