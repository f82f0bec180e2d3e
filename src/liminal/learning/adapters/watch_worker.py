"""The process that watches what people think of promoted versions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from faststream import FastStream

from liminal.learning.adapters.watch import TYPES, Watcher
from liminal.log.log import Log
from liminal.log.reaction import Reaction
from liminal.settings import Settings


@asynccontextmanager
async def watch_app(settings: Settings) -> AsyncGenerator[FastStream]:
    """The watch reaction with everything it needs."""
    async with Log.open(settings, source="liminal/watch") as log_:
        watcher = Watcher(log_)
        reaction = Reaction(
            "watch",
            types=TYPES,
            handle=watcher.handle,
            order_by=lambda event: str(event["_owner"]),
            decode=log_.decoder.decode,
            given_up=watcher.given_up,
        )
        yield reaction.app(settings)
