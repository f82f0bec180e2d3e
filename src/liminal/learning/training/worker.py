"""The process that learns: it plans runs when feedback changes, and carries queued ones out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from faststream import FastStream
from redis.asyncio import Redis

from liminal.engine.errors import EngineClosed
from liminal.errors import LiminalError
from liminal.learning.training.failing import attempt_failed, fail
from liminal.learning.training.runs import Run
from liminal.log.log import Log
from liminal.log.position import Position
from liminal.log.reaction import Delivery, Reaction, run_app
from liminal.settings import Settings
from liminal.storage.blobs import BlobStore
from liminal.storage.redis import connect_redis

if TYPE_CHECKING:
    from liminal.learning.training.planner import Planner
    from liminal.learning.training.trainer import Trainer
    from liminal.learning.training.workbench import Workbench

log = structlog.get_logger(__name__)

QUEUED = "training.queued"
OF_ACCOUNT = frozenset(
    {"feedback.given", "feedback.changed", "feedback.withdrawn", "conversation.deleted", "settings.changed"}
)
"""What changes what an account teaches."""
OF_ADAPTER = frozenset(
    {
        "training.failed",
        "training.cancelled",
        "adapter.version.promoted",
        "adapter.version.rejected",
        "adapter.version.tainted",
    }
)
"""The end of a run: what came meanwhile is looked at."""
OF_SKILL = frozenset({"skill.approved", "cluster.assigned"})
TYPES = frozenset({QUEUED, *OF_ACCOUNT, *OF_ADAPTER, *OF_SKILL})
PATIENCE = 120.0
"""Seconds that the read models may be behind; nobody waits for an answer here."""
NICENESS = 19
"""Training gives way to whoever else wants a core."""
RUNS_AT_ONCE = 1
"""Runs of one worker; they share its cores. Owners take turns: each has one run in line at most."""

_FEEDBACK = "SELECT count(*) FROM (SELECT FROM read.feedback WHERE owner_id = $1 LIMIT 2) f"
_SKILL_OF_ADAPTER = "SELECT skill_id FROM read.adapters WHERE adapter_id = $1"
_ADAPTERS_SHAPED = """
    SELECT DISTINCT a.skill_id FROM read.adapter_feedback f JOIN read.adapters a USING (adapter_id)
    WHERE f.feedback_id = $1 AND a.skill_id IS NOT NULL AND NOT a.retired
"""


class Learner:
    """Loads the base model, and JAX with it, when the first person has given feedback."""

    def __init__(self, settings: Settings, log_: Log, redis: Redis) -> None:
        self._settings = settings
        self._log = log_
        self._redis = redis
        self._loading = asyncio.Lock()
        self._turn = asyncio.Semaphore(RUNS_AT_ONCE)
        self._loaded: tuple[Workbench, Planner, Trainer] | None = None

    async def handle(self, delivery: Delivery) -> None:
        """Plan or train. Raises CapabilityMissing or ModelNotFound where nothing can train."""
        event = delivery.event
        if delivery.maybe_seen:
            # somebody may have begun: the read models must know all that was written before we started
            end = Position(delivery.position.partition, delivery.log_end - 1)
            await self._log.wait_for(end, timeout=PATIENCE)
        else:
            await self._log.wait_for(delivery.position, timeout=PATIENCE)
        if event["_type"] == QUEUED:
            await self._train(event)
        else:
            await self._plan(event)

    async def given_up(self, delivery: Delivery, error: Exception) -> None:
        """Say that a run failed, after the last attempt."""
        if delivery.event["_type"] == QUEUED:
            await fail(self._log, Run.of(delivery.event), *_said(error))

    async def aclose(self) -> None:
        """Let the model go."""
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            await loaded[0].aclose()

    async def _train(self, event: Mapping[str, Any]) -> None:
        run = Run.of(event)
        _, _, trainer = await self._parts()
        async with self._turn:
            try:
                await trainer.carry_out(run)
            except Exception as error:
                if isinstance(error, EngineClosed):
                    await self.aclose()  # the next attempt loads the model anew
                if await attempt_failed(self._log, run, *_said(error)):
                    raise

    async def _plan(self, event: Mapping[str, Any]) -> None:
        owner, tenant, cause = event["_owner"], event["_tenant"], UUID(event["_id"])
        kind = event["_type"]
        if kind in OF_SKILL:
            return await self._look_at_skills(event, cause)
        if kind in OF_ADAPTER and (skill := await self._skill_behind(event)) is not None:
            return await self._look_at_skill(skill, cause)
        if not _is_account(owner) or not await self._log.pool.fetchval(_FEEDBACK, UUID(owner)):
            return None
        _, planner, _ = await self._parts()
        await planner.look_at_account(owner, tenant, cause)
        if kind == "feedback.withdrawn":
            shaped = await self._log.pool.fetch(_ADAPTERS_SHAPED, UUID(event["feedback_id"]))
            for row in shaped:
                await self._look_at_skill(row["skill_id"], cause)
        return None

    async def _skill_behind(self, event: Mapping[str, Any]) -> UUID | None:
        if event.get("run_id") is not None:
            return await self._log.pool.fetchval(
                "SELECT skill_id FROM read.training_runs WHERE run_id = $1", UUID(event["run_id"])
            )
        return await self._log.pool.fetchval(_SKILL_OF_ADAPTER, UUID(event["adapter_id"]))

    async def _look_at_skills(self, event: Mapping[str, Any], cause: UUID) -> None:
        if event["_type"] == "skill.approved":
            return await self._look_at_skill(UUID(event["skill_id"]), cause)
        from liminal.learning.skills.members import skills_of_cluster

        for skill_id in await skills_of_cluster(self._log.pool, UUID(event["cluster_id"])):
            await self._look_at_skill(skill_id, cause)
        return None

    async def _look_at_skill(self, skill_id: UUID, cause: UUID) -> None:
        from liminal.learning.skills.members import approved_skill, members_of

        skill = await approved_skill(self._log.pool, skill_id)
        if skill is not None:
            _, planner, _ = await self._parts()
            await planner.look_at_skill(skill, await members_of(self._log.pool, skill), cause)

    async def _parts(self) -> tuple[Workbench, Planner, Trainer]:
        async with self._loading:
            if self._loaded is None:
                self._loaded = await asyncio.to_thread(self._load)
            return self._loaded

    def _load(self) -> tuple[Workbench, Planner, Trainer]:
        from liminal.learning.training.planner import Base, Planner
        from liminal.learning.training.trainer import Trainer
        from liminal.learning.training.workbench import Workbench

        bench = Workbench.load(self._settings)
        blobs = BlobStore.open(self._settings)
        base = Base(bench.model.name, bench.model.identity)
        home = self._settings.home / "training"
        return bench, Planner(self._log, blobs, base), Trainer(self._log, blobs, self._redis, bench, home)


def _said(error: Exception) -> tuple[str, str]:
    if isinstance(error, LiminalError):
        return error.code, error.message
    return "internal", "The run broke off."


def _is_account(owner: str) -> bool:
    try:
        UUID(owner)
    except ValueError:
        return False
    return True


def _order(event: Mapping[str, Any]) -> str:
    """Runs of one owner one after another, and planning never behind a run."""
    return f"{event['_type'] == QUEUED} {event['_owner']}"


@asynccontextmanager
async def learn_app(settings: Settings) -> AsyncGenerator[FastStream]:
    """The learn reaction with everything it needs."""
    async with AsyncExitStack() as stack:
        log_ = await stack.enter_async_context(Log.open(settings, source="liminal/learn"))
        redis = await connect_redis(settings)
        stack.push_async_callback(redis.aclose)
        learner = Learner(settings, log_, redis)
        stack.push_async_callback(learner.aclose)
        reaction = Reaction(
            "learn",
            types=TYPES,
            handle=learner.handle,
            order_by=_order,
            decode=log_.decoder.decode,
            given_up=learner.given_up,
            in_flight=64,
        )
        yield reaction.app(settings)


if __name__ == "__main__":
    os.nice(NICENESS)
    asyncio.run(run_app("learn", learn_app))
