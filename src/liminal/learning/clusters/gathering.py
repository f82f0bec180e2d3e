"""The process that notices and gathers: two reactions, each with its consumer group and positions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from faststream import FastStream

from liminal.learning.clusters.gather import gather_reaction
from liminal.learning.evidence.notice import notice_reaction
from liminal.log.log import Log
from liminal.log.reaction import reactions_app
from liminal.settings import Settings


@asynccontextmanager
async def gather_app(settings: Settings) -> AsyncGenerator[FastStream]:
    """Both reactions with everything they need, as one FastStream application."""
    async with Log.open(settings, source="liminal/gather") as log, gather_reaction(log) as gather:
        yield reactions_app(settings, [notice_reaction(log), gather])
