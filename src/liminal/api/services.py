"""Everything that answers requests, opened once per process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import asyncpg
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from liminal.api.errors import NotReady
from liminal.api.idempotency import Idempotency
from liminal.api.log_view import LogView
from liminal.api.sockets import Sockets
from liminal.chat.conversations import Conversations
from liminal.chat.engine_status import EngineStatus
from liminal.chat.feedback import Feedback
from liminal.chat.keys import Keys
from liminal.chat.streams import FrameHub
from liminal.chat.transcripts import Transcripts
from liminal.chat.turns import Turns
from liminal.engine.embedder import Embedder, default_encoder
from liminal.identity.service import Identity
from liminal.learning.clusters.clusterings import Clusterings
from liminal.learning.learned import Learned
from liminal.learning.skills.decisions import Skills
from liminal.log.log import Log
from liminal.projector.admin import Projections
from liminal.settings import Settings
from liminal.steering.changes import Changes
from liminal.storage.blobs import BlobStore
from liminal.storage.postgres import connect_pool
from liminal.storage.redis import connect_redis

log = structlog.get_logger(__name__)

POOL_SIZE = 16
PURGE_EVERY = 3600.0
"""Seconds between deletions of sessions that have expired."""
READY_WITHIN = 3.0
"""Seconds that the parts have to answer ``/readyz``."""


@asynccontextmanager
async def _purging(identity: Identity) -> AsyncGenerator[None]:
    async def purge() -> None:
        while True:
            await asyncio.sleep(PURGE_EVERY)
            try:
                log.info("sessions.purged", count=await identity.sessions.purge())
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                log.warning("sessions.purge_failed", error=str(error))

    task = asyncio.create_task(purge(), name="purge")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Services:
    """What a handler reaches through ``call.services``."""

    settings: Settings
    log: Log
    redis: Redis
    identity: Identity
    conversations: Conversations
    feedback: Feedback
    turns: Turns
    transcripts: Transcripts
    hub: FrameHub
    sockets: Sockets
    idempotency: Idempotency
    engine_status: EngineStatus
    embedder: Embedder
    learned: Learned
    skills: Skills
    clusterings: Clusterings
    changes: Changes
    blobs: BlobStore
    log_view: LogView
    projections: Projections

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncGenerator[Services]:
        """Connect to everything. Raises what :meth:`Log.open` and :func:`connect_redis` raise."""
        async with AsyncExitStack() as stack:
            pool = await connect_pool(settings, max_size=POOL_SIZE)
            stack.push_async_callback(pool.close)
            log = await stack.enter_async_context(Log.open(settings, source="liminal/api", pool=pool))
            redis = await connect_redis(settings)
            stack.push_async_callback(redis.aclose)
            namespace = settings.topic
            identity = Identity.of(log, redis, settings)
            stack.callback(identity.passwords.close)
            await stack.enter_async_context(identity.signals.running())
            await stack.enter_async_context(_purging(identity))
            keys = Keys(namespace)
            # a connection of its own: it spends its life in one blocking read
            frames = await connect_redis(settings)
            stack.push_async_callback(frames.aclose)
            hub = await stack.enter_async_context(FrameHub(frames, keys))
            sockets = Sockets()
            stack.callback(identity.signals.listen(sockets.revoke))
            identity.signals.after_gaps(lambda: sockets.look_again(identity.actor_again))
            conversations = Conversations(log)
            turns = Turns(log, redis, keys, conversations)
            yield cls(
                settings=settings,
                log=log,
                redis=redis,
                identity=identity,
                conversations=conversations,
                feedback=Feedback(log),
                turns=turns,
                transcripts=Transcripts(turns, conversations),
                hub=hub,
                sockets=sockets,
                idempotency=Idempotency(redis, namespace, log.vault),
                engine_status=EngineStatus(redis, namespace),
                embedder=Embedder(partial(default_encoder, settings.cache / "compiled")),
                learned=Learned(log),
                skills=Skills(log),
                clusterings=Clusterings(log),
                changes=Changes(log),
                blobs=BlobStore.open(settings),
                log_view=LogView(log),
                projections=Projections.of_log(log),
            )

    async def check_ready(self) -> None:
        """Return when Postgres and Redis answer and the read models exist. Raises NotReady."""
        try:
            async with asyncio.timeout(READY_WITHIN):
                await self.redis.ping()
                ready = await self.log.pool.fetchval("SELECT to_regclass('read.accounts') IS NOT NULL")
        except (TimeoutError, OSError, RedisError) as error:
            raise NotReady(f"A part does not answer: {error or 'timeout'}") from error
        if not ready:
            raise NotReady("The projector has not made the read models yet.")
