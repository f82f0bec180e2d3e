"""The process that learns: the frozen base, and the reaction to feedback."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from faststream import FastStream

from liminal.engine.bundled import model_path
from liminal.engine.training import BaseModel
from liminal.learning.personas import TYPES, PersonaLearner
from liminal.log.log import Log
from liminal.log.reaction import Reaction
from liminal.settings import Settings
from liminal.stack.ready import announce_ready
from liminal.storage.blobs import BlobStore

NICENESS = 10
"""Training gives way to whoever waits for an answer on the same machine."""


@asynccontextmanager
async def learn_app(settings: Settings) -> AsyncGenerator[FastStream]:
    """The learn reaction with everything it needs. Raises ModelNotFound and what opening the log raises."""
    os.nice(NICENESS)
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(Log.open(settings, source="liminal/learn"))
        folder = Path(settings.model) if settings.model else model_path()
        model = await asyncio.to_thread(BaseModel.load, folder)
        learner = PersonaLearner(log, BlobStore.open(settings), model)
        reaction = Reaction(
            "learn",
            types=TYPES,
            handle=learner.handle,
            order_by=lambda event: str(event["_owner"]),
            decode=log.decoder.decode,
            given_up=learner.given_up,
            in_flight=64,
        )
        app = reaction.app(settings)
        app.after_startup(lambda: announce_ready(settings))
        yield app
