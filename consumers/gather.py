"""The notice and gather reactions: wishes, clusters and proposals. ``python -m consumers.gather``."""

from __future__ import annotations

import asyncio

from liminal.learning.clusters.gathering import gather_app
from liminal.logging import configure_logging
from liminal.settings import load_settings


async def main() -> None:
    """Notice and gather until stopped."""
    settings = load_settings()
    configure_logging(settings, "gather")
    async with gather_app(settings) as app:
        await app.run()


if __name__ == "__main__":
    asyncio.run(main())
