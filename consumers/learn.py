"""The learn reaction: feedback becomes adapters. ``python -m consumers.learn``."""

from __future__ import annotations

import asyncio
import sys

from liminal.learning.training.aside import run_aside
from liminal.logging import configure_logging
from liminal.settings import load_settings


async def main() -> int:
    """Learn until stopped."""
    settings = load_settings()
    configure_logging(settings, "learn")
    return await run_aside(settings, "liminal.learning.training.worker")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
