"""What is to be trained: reads what changed, and queues a run where there is enough that is new."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal
from uuid import UUID

import orjson
import structlog

from liminal.learning.adapters.withdrawal import cancel_run, roll_back, taint
from liminal.learning.evidence.dataset import DataSet, compose, feedback_of, seal
from liminal.learning.evidence.lessons import Lesson
from liminal.learning.evidence.taught import gone_among, lessons_among, lessons_of_account
from liminal.learning.training import recipe
from liminal.learning.training.pausing import learns_from
from liminal.learning.training.runs import ACTOR, run_id_of
from liminal.log.envelope import Meta
from liminal.log.errors import VersionConflict
from liminal.log.events import AdapterCreated, BlobRef, Dataset, TrainingQueued
from liminal.log.ids import derived_id
from liminal.log.log import Log
from liminal.steering.artifacts import current_learning_policy
from liminal.steering.learning_policy import Persona
from liminal.storage.blobs import BlobStore

log = structlog.get_logger(__name__)

Reason = Literal["approved", "more_evidence", "withdrawal", "requested"]

_LAST = """
    SELECT r.run_id, r.adapter_version, r.dataset, r.state, r.reason, r.queued_at,
           v.state AS version_state
    FROM read.training_runs r
    LEFT JOIN read.adapter_versions v ON v.adapter_id = r.adapter_id AND v.version = r.adapter_version
    WHERE r.adapter_id = $1 ORDER BY r.adapter_version DESC LIMIT 1
"""
_ADAPTER = "SELECT name, serving_version, retired FROM read.adapters WHERE adapter_id = $1"
_SINCE = "SELECT count(*) FROM read.feedback WHERE owner_id = $1 AND updated_at > $2"
_NAMES = "SELECT name FROM read.adapters WHERE scope = $1 AND subject = $2 AND adapter_id <> $3"


@dataclass(frozen=True)
class Target:
    """An adapter that may be trained.

    Attributes:
        kind, scope, subject: as in ``adapter.created``; events are keyed by the subject.
        label: what it is called before it has a name of its own.
    """

    adapter_id: UUID
    kind: Literal["persona", "skill"]
    scope: Literal["user", "tenant"]
    subject: str
    tenant: str
    label: str
    skill_id: UUID | None = None


@dataclass(frozen=True)
class Base:
    """The frozen base that runs are queued for."""

    name: str
    hash: str


def persona_of(owner: str, tenant: str) -> Target:
    """The adapter of all of one person's habits."""
    return Target(derived_id(UUID(owner), "persona"), "persona", "user", owner, tenant, f"persona-{owner}")


def skill_target(skill: Mapping[str, Any]) -> Target:
    """The adapter of a row of ``read.skills``."""
    return Target(
        adapter_id=derived_id(UUID(str(skill["skill_id"])), "adapter"),
        kind="skill",
        scope=skill["scope"],
        subject=skill["subject"],
        tenant=skill["tenant_id"],
        label=skill["label"] or "skill",
        skill_id=UUID(str(skill["skill_id"])),
    )


class Planner:
    """Queues runs. At most one run of an adapter is open; when it ends, its adapter is looked at again."""

    def __init__(self, log_: Log, blobs: BlobStore, base: Base) -> None:
        self._log = log_
        self._blobs = blobs
        self._base = base

    async def look_at_account(self, owner: str, tenant: str, cause: UUID) -> None:
        """Plan an account's persona."""
        await self._plan(
            persona_of(owner, tenant), partial(lessons_of_account, self._log.pool, UUID(owner)), cause
        )

    async def look_at_skill(self, skill: Mapping[str, Any], members: Sequence[UUID], cause: UUID) -> None:
        """Plan the adapter of an approved skill with these members."""
        target = skill_target(skill)
        gather = partial(lessons_among, self._log.pool, members, of_many=target.scope == "tenant")
        await self._plan(target, gather, cause)

    async def _plan(self, target: Target, gather: Callable[[], Awaitable[list[Lesson]]], cause: UUID) -> None:
        if not await learns_from(self._log.pool, target.scope, target.subject):
            return
        policy = (await current_learning_policy(self._log, target.tenant)).body.persona
        adapter = await self._log.pool.fetchrow(_ADAPTER, target.adapter_id)
        if adapter is not None and adapter["retired"]:
            return
        found = await self._log.pool.fetchrow(_LAST, target.adapter_id)
        last = None if found is None else dict(found)
        known, lost = await self._known(last)
        is_open = last is not None and (
            last["state"] in ("queued", "running", "retrying")
            or (last["state"] == "done" and last["version_state"] in (None, "trained", "evaluated"))
        )
        if last is not None and is_open and lost:
            await cancel_run(self._log, last["run_id"], target.subject, target.tenant, cause)
        elif is_open:
            return
        tainted = await taint(self._log, target.adapter_id, target.subject, target.tenant, cause)
        if last is not None and not (tainted or lost) and await self._too_little(target, last, policy):
            return
        data = compose(await gather())
        fresh = set(data.feedback_ids) - known
        tried = last is not None and last["reason"] == "withdrawal" and not lost
        if tainted and (tried or data.taught < policy.least_feedback):
            # nothing took its place, so the base model answers
            await roll_back(self._log, target.adapter_id, target.subject, target.tenant, cause)
            tainted = False
        if data.taught < policy.least_feedback:
            return
        if not (tainted or lost or len(fresh) >= (policy.more_feedback if known else policy.least_feedback)):
            return
        version = 1 if last is None else last["adapter_version"] + 1
        serving = adapter["serving_version"] if adapter is not None and not tainted else None
        reason: Reason = "withdrawal" if tainted or lost else "more_evidence" if known else "approved"
        await self._queue(target, data, version, serving, reason, cause)

    async def _too_little(self, target: Target, last: Mapping[str, Any], policy: Persona) -> bool:
        """Whether a person said less since the last run than another needs; no lesson has to be read."""
        if target.kind != "persona":
            return False
        count = await self._log.pool.fetchval(_SINCE, UUID(target.subject), last["queued_at"])
        return count < policy.more_feedback

    async def _known(self, last: Mapping[str, Any] | None) -> tuple[set[UUID], set[UUID]]:
        """The feedback of the last run, and what of it has gone since."""
        if last is None:
            return set(), set()
        blob = BlobRef.model_validate(orjson.loads(last["dataset"])["blob"])
        known = feedback_of(await self._blobs.get(blob.hash))
        return known, await gone_among(self._log.pool, known)

    async def _queue(
        self,
        target: Target,
        data: DataSet,
        version: int,
        serving: int | None,
        reason: Reason,
        cause: UUID,
    ) -> None:
        run_id = run_id_of(target.adapter_id, version)
        await self._create(target, cause)
        blob = await self._blobs.put(await seal(self._log.vault, run_id, data))
        methods, settings = data.methods, recipe.settings_for(data)
        queued = TrainingQueued(
            run_id=run_id,
            adapter_id=target.adapter_id,
            adapter_version=version,
            skill_id=target.skill_id,
            scope=target.scope,
            subject=target.subject,
            base_model=self._base.name,
            base_hash=self._base.hash,
            parent_version=serving,
            dataset=Dataset(
                blob=BlobRef(hash=blob.hash, size=blob.size),
                examples=len(data.lessons),
                held_out=data.taught,
                methods=methods,
                refused=dict(data.refused),
            ),
            method=next(iter(methods)) if len(methods) == 1 else "mixed",  # pyright: ignore[reportArgumentType]
            hyperparameters=recipe.as_hyperparameters(settings),
            seed=settings.seed,
            reason=reason,
        )
        await self._append(target, queued, cause)
        log.info("learn.queued", run=str(run_id), lessons=len(data.lessons), refused=dict(data.refused))

    async def _append(self, target: Target, queued: TrainingQueued, cause: UUID) -> None:
        run_id = queued.run_id
        meta = Meta(
            owner=target.subject,
            tenant=target.tenant,
            actor=ACTOR,
            stream=f"training-{run_id}",
            causation=cause,
            correlation=run_id,
            # of the cause too: two planners may offer different data, and the log takes one of them
            id=derived_id(cause, f"queued {run_id}"),
        )
        try:
            position = await self._log.append(queued, meta, expected_version=0)
        except VersionConflict:
            log.info("learn.queued_elsewhere", run=str(run_id))
            return
        # whoever plans next must see it
        await self._log.wait_for(position)

    async def _create(self, target: Target, cause: UUID) -> None:
        known = await self._log.pool.fetchval(
            "SELECT true FROM read.adapters WHERE adapter_id = $1 AND name IS NOT NULL", target.adapter_id
        )
        if known:
            return
        taken = await self._log.pool.fetch(_NAMES, target.scope, target.subject, target.adapter_id)
        created = AdapterCreated(
            adapter_id=target.adapter_id,
            name=unique_name(target.label, {row["name"] for row in taken}),
            kind=target.kind,
            scope=target.scope,
            subject=target.subject,
            skill_id=target.skill_id,
            base_model=self._base.name,
        )
        meta = Meta(
            owner=target.subject,
            tenant=target.tenant,
            actor=ACTOR,
            stream=f"adapter-{target.adapter_id}",
            causation=cause,
            id=derived_id(target.adapter_id, "created"),
        )
        await self._log.wait_for(await self._log.append(created, meta))


def unique_name(label: str, taken: set[str]) -> str:
    """The label as a slug, numbered where another adapter of the scope has it."""
    slug = re.sub(r"[^a-z0-9._-]+", "-", label.casefold()).strip("-._")[:60] or "skill"
    names = [slug, *(f"{slug}-{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)
