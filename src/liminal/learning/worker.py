"""The process that learns: the reaction to feedback, and the frozen base once there is something to learn."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from faststream import FastStream

from liminal.log.log import Log
from liminal.log.reaction import Delivery, Reaction
from liminal.settings import Settings
from liminal.stack.ready import announce_ready
from liminal.storage.blobs import BlobStore

if TYPE_CHECKING:
    from liminal.learning.personas import PersonaLearner

TYPES = frozenset({"feedback.given", "feedback.changed", "feedback.withdrawn"})
LEAST = 4
"""Pieces of feedback of one person before anything is learned."""
NICENESS = 10
"""Training gives way to whoever waits for an answer on the same machine."""


class Learner:
    """Loads the base model, and JAX with it, when the first person has given enough feedback."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self._settings = settings
        self._log = log
        self._personas: PersonaLearner | None = None
        self._loading = asyncio.Lock()

    async def handle(self, delivery: Delivery) -> None:
        """Learn from a person's feedback. Raises ModelNotFound, CapabilityMissing where nothing can train."""
        await self._log.wait_for(delivery.position)
        count = await self._log.pool.fetchval(
            "SELECT count(*) FROM read.feedback WHERE owner_id = $1 AND NOT withdrawn",
            UUID(delivery.event["_owner"]),
        )
        if count >= LEAST:
            await (await self._learner()).handle(delivery)

    async def given_up(self, delivery: Delivery, error: Exception) -> None:
        """Say that the run failed, after the last attempt; without a model there was none."""
        if self._personas is not None:
            await self._personas.given_up(delivery, error)

    async def _learner(self) -> PersonaLearner:
        async with self._loading:
            if self._personas is None:
                self._personas = await asyncio.to_thread(self._load)
            return self._personas

    def _load(self) -> PersonaLearner:
        from liminal.engine.bundled import model_path
        from liminal.engine.compile_cache import keep_compiled
        from liminal.engine.errors import CapabilityMissing
        from liminal.engine.training import BaseModel
        from liminal.learning.personas import PersonaLearner

        if self._settings.backend != "jax":
            raise CapabilityMissing("an endpoint elsewhere can't be trained; LIMINAL_BACKEND=jax can")
        keep_compiled(self._settings.cache / "compiled")
        folder = Path(self._settings.model) if self._settings.model else model_path()
        return PersonaLearner(self._log, BlobStore.open(self._settings), BaseModel.load(folder))


@asynccontextmanager
async def learn_app(settings: Settings) -> AsyncGenerator[FastStream]:
    """The learn reaction with everything it needs."""
    os.nice(NICENESS)
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(Log.open(settings, source="liminal/learn"))
        learner = Learner(settings, log)
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
