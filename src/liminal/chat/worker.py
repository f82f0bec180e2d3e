"""The process that has the model: it answers turns, and hosts the other reactions that need the model."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import structlog
from faststream import FastStream
from redis.asyncio import Redis

from liminal.chat.answering import Answerer, Decoder, NoAnswerer
from liminal.chat.cancelling import listen_for_cancel
from liminal.chat.engine_reactions import ENGINE_REACTIONS
from liminal.chat.engine_status import TTL, EngineState, EngineStatus
from liminal.chat.keys import Keys
from liminal.chat.models import open_backend, other_backend, served_model
from liminal.chat.respond import TYPES, Responder
from liminal.chat.streams import FrameWriter
from liminal.engine.backend import Backend
from liminal.engine.embedder import Embedder, default_encoder
from liminal.errors import LiminalError
from liminal.identity.limits import Limits
from liminal.learning.adapters.serving import ServingAdapters
from liminal.log.log import Log
from liminal.log.reaction import Reaction, reactions_app
from liminal.settings import Settings, SettingsError
from liminal.steering.router import Router
from liminal.storage.blobs import BlobStore
from liminal.storage.redis import connect_redis

log = structlog.get_logger(__name__)


RESPOND = "respond"
OpenModel = Callable[[Settings], AbstractAsyncContextManager[Backend | LiminalError]]


@asynccontextmanager
async def respond_app(
    settings: Settings, only: Collection[str] = (), open_model: OpenModel = open_backend
) -> AsyncGenerator[FastStream]:
    """The respond reaction and those of ENGINE_REACTIONS over one backend, as a FastStream application.

    ``only`` names the ones to run; without any, all of them. Raises SettingsError for a name that there is
    not, and, where ``respond`` is left out, what keeps the model away: then there is nothing to run.
    ``open_model`` loads it; benchmarks have their own.
    """
    wanted = _wanted(only)
    async with AsyncExitStack() as stack:
        log_ = await stack.enter_async_context(Log.open(settings, source="liminal/respond"))
        redis = await connect_redis(settings)
        stack.push_async_callback(redis.aclose)
        status = EngineStatus(redis, settings.topic)
        if RESPOND in wanted:
            await status.announce(EngineState(state="loading"))
        backend = await stack.enter_async_context(open_model(settings))
        reactions: list[Reaction] = []
        if RESPOND in wanted:
            reactions.append(await _respond(stack, settings, log_, redis, backend))
            ready = EngineState(state="ready", model=served_model(settings, backend))
            _beside(stack, _keep_announcing(status, ready))
        elif isinstance(backend, LiminalError):
            raise backend
        if isinstance(backend, LiminalError):
            log.warning("reactions.without_model", reactions=[name for name in wanted if name != RESPOND])
        else:
            reactions += [
                build(settings, log_, backend) for name, build in ENGINE_REACTIONS.items() if name in wanted
            ]
        yield reactions_app(settings, reactions)


def _wanted(only: Collection[str]) -> Collection[str]:
    known = (RESPOND, *ENGINE_REACTIONS)
    if unknown := sorted(set(only) - set(known)):
        raise SettingsError(
            f"There is no reaction {', '.join(unknown)} that needs the model; there are {', '.join(known)}."
        )
    return only or known


async def _respond(
    stack: AsyncExitStack, settings: Settings, log_: Log, redis: Redis, backend: Backend | LiminalError
) -> Reaction:
    keys = Keys(settings.topic)
    answerer = (
        NoAnswerer(backend)
        if isinstance(backend, LiminalError)
        else await _answerer(stack, settings, log_, backend)
    )
    writer = await stack.enter_async_context(FrameWriter(redis, keys))
    responder = Responder(log_, writer, answerer, Limits(redis, settings.topic), settings.turn_timeout)
    _beside(stack, listen_for_cancel(redis, keys, responder.cancel))
    return Reaction(
        RESPOND,
        types=TYPES,
        handle=responder.handle,
        order_by=lambda event: str(event["conversation_id"]),
        decode=log_.decoder.decode,
        given_up=responder.given_up,
        in_flight=settings.turns_in_flight,
    )


async def _answerer(stack: AsyncExitStack, settings: Settings, log_: Log, backend: Backend) -> Answerer:
    backends = [backend]
    if elsewhere := other_backend(settings):
        stack.push_async_callback(elsewhere.aclose)
        backends.append(elsewhere)
    embedder = Embedder(lambda: default_encoder(settings.cache / "compiled"))
    decoders = [Decoder(found, _adapters(settings, found, log_)) for found in backends]
    return Answerer(decoders, Router(log_, embedder), log_.pool)


def _adapters(settings: Settings, backend: Backend, log_: Log) -> ServingAdapters:
    return ServingAdapters(log_.pool, BlobStore.open(settings), backend, settings.home / "adapters")


def _beside(stack: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work)

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(stop)


async def _keep_announcing(status: EngineStatus, state: EngineState) -> None:
    while True:
        with contextlib.suppress(ConnectionError):  # a Redis that comes back is told again
            await status.announce(state)
        await asyncio.sleep(TTL / 3)
