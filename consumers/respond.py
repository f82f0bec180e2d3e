"""The respond reaction, and the others that need the model it has loaded.

``python -m consumers.respond`` runs all of them, ``python -m consumers.respond <name> …`` only those named:
``respond`` and the rows of liminal.chat.engine_reactions.
"""

from __future__ import annotations

import asyncio
import sys

from liminal.chat.worker import respond_app
from liminal.logging import configure_logging
from liminal.settings import load_settings


async def main(names: list[str]) -> None:
    """React until stopped."""
    settings = load_settings()
    configure_logging(settings, "respond")
    async with respond_app(settings, names) as app:
        await app.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
