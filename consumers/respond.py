"""The respond reaction: answers turns. ``python -m consumers.respond``."""

from __future__ import annotations

import asyncio

from liminal.chat.worker import respond_app
from liminal.logging import configure_logging
from liminal.settings import load_settings


async def main() -> None:
    """Answer turns until stopped."""
    settings = load_settings()
    configure_logging(settings, "respond")
    async with respond_app(settings) as app:
        await app.run()


if __name__ == "__main__":
    asyncio.run(main())
