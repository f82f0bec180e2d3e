"""The watch reaction: live feedback rolls a worse version back. ``python -m consumers.watch``."""

from __future__ import annotations

import asyncio

from liminal.learning.adapters.watch_worker import watch_app
from liminal.logging import configure_logging
from liminal.settings import load_settings


async def main() -> None:
    """Watch until stopped."""
    settings = load_settings()
    configure_logging(settings, "watch")
    async with watch_app(settings) as app:
        await app.run()


if __name__ == "__main__":
    asyncio.run(main())
