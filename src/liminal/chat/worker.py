"""The process that answers turns: a model, the responder, and word of how the model is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import structlog
from faststream import FastStream

from liminal.chat.answering import Answerer, NoAnswerer
from liminal.chat.engine_status import TTL, EngineState, EngineStatus
from liminal.chat.models import open_backend, served_model
from liminal.chat.respond import TYPES, Responder
from liminal.chat.streams import FrameWriter, Keys, listen_for_cancel
from liminal.engine.backend import Backend
from liminal.errors import LiminalError
from liminal.learning.serving import ServingAdapters
from liminal.log.log import Log
from liminal.log.reaction import Reaction
from liminal.settings import Settings
from liminal.stack.ready import announce_ready
from liminal.storage.blobs import BlobStore
from liminal.storage.redis import connect_redis

log = structlog.get_logger(__name__)


@asynccontextmanager
async def respond_app(settings: Settings) -> AsyncGenerator[FastStream]:
    """The respond reaction with everything it needs, as a FastStream application."""
    async with AsyncExitStack() as stack:
        log_ = await stack.enter_async_context(Log.open(settings, source="liminal/respond"))
        redis = await connect_redis(settings)
        stack.push_async_callback(redis.aclose)
        keys = Keys(settings.topic)
        status = EngineStatus(redis, settings.topic)
        await status.announce(EngineState(state="loading"))
        backend = await stack.enter_async_context(open_backend(settings))
        answerer = (
            NoAnswerer(backend)
            if isinstance(backend, LiminalError)
            else Answerer(backend, _adapters(settings, backend, log_), log_.pool)
        )
        writer = await stack.enter_async_context(FrameWriter(redis, keys))
        responder = Responder(log_, redis, keys, writer, answerer, settings.turn_timeout)
        reaction = Reaction(
            "respond",
            types=TYPES,
            handle=responder.handle,
            order_by=lambda event: str(event["conversation_id"]),
            decode=log_.decoder.decode,
            given_up=responder.given_up,
            in_flight=settings.turns_in_flight,
        )
        ready = EngineState(state="ready", model=served_model(settings, backend))
        await _beside(
            stack, _keep_announcing(status, ready), listen_for_cancel(redis, keys, responder.cancel)
        )
        app = reaction.app(settings)
        app.after_startup(lambda: announce_ready(settings))
        yield app


def _adapters(settings: Settings, backend: Backend, log_: Log) -> ServingAdapters:
    return ServingAdapters(log_.pool, BlobStore.open(settings), backend, settings.home / "adapters")


async def _beside(stack: AsyncExitStack, *work: Any) -> None:
    tasks = [asyncio.create_task(coroutine) for coroutine in work]

    async def stop() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    stack.push_async_callback(stop)


async def _keep_announcing(status: EngineStatus, state: EngineState) -> None:
    while True:
        with contextlib.suppress(ConnectionError):  # a Redis that comes back is told again
            await status.announce(state)
        await asyncio.sleep(TTL / 3)
