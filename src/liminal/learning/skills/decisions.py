"""Skills: what has been proposed, who decided what, and the commands to decide."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson
from asyncpg import Record

from liminal.identity.actor import Actor
from liminal.learning.errors import NoSuchSkill, SkillDecided
from liminal.log.envelope import Meta
from liminal.log.events import (
    ClusterLabelled,
    Event,
    SkillApproved,
    SkillMerged,
    SkillPruned,
    SkillRejected,
    SkillRenamed,
    SkillSwitched,
)
from liminal.log.log import Log
from liminal.logging import current_correlation
from liminal.storage.postgres import Pool

PROJECTION = "skills"
State = Literal["proposed", "approved", "rejected", "merged", "pruned"]
Decider = Literal["user", "admin"]
ENDED: frozenset[str] = frozenset({"merged", "pruned"})
"""States that nothing leads out of."""

_SKILLS = """
    SELECT s.*, c.label AS cluster_label, c.label_source, c.words, c.people,
           coalesce(c.size, s.size) AS size_now, coalesce(c.positive, s.positive) AS positive_now,
           coalesce(c.negative, s.negative) AS negative_now,
           a.adapter_id, a.name AS adapter_name, a.serving_version, v.figures
    FROM read.skills s
    LEFT JOIN read.clusters c ON c.cluster_id = s.cluster_id AND c.ended IS NULL
    LEFT JOIN read.adapters a ON a.skill_id = s.skill_id AND NOT a.retired
    LEFT JOIN read.adapter_versions v ON v.adapter_id = a.adapter_id AND v.version = a.serving_version
"""


@dataclass(frozen=True, slots=True)
class SkillAdapter:
    """What was trained for a skill; ``version`` is None until one passed its gate.

    ``lift`` is what the serving version gained on held-out answers over what it replaced, by its gate.
    """

    id: UUID
    name: str
    version: int | None
    lift: float | None


@dataclass(frozen=True, slots=True)
class SkillRow:
    """A skill as it stands. ``owner_id`` is None where it is a whole tenant's."""

    id: UUID
    owner_id: UUID | None
    tenant_id: str
    cluster_id: UUID | None
    kind: str
    scope: Literal["user", "tenant"]
    subject: str
    label: str
    label_source: str
    words: list[str]
    state: State
    active: bool
    size: int
    positive: int
    negative: int
    people: int
    decided_by: str | None
    reason: str | None
    merge_into: UUID | None
    merge_overlap: float | None
    prune_turns: int | None
    prune_days: int | None
    proposed_at: datetime
    decided_at: datetime | None
    adapter: SkillAdapter | None


def _adapter(row: Record) -> SkillAdapter | None:
    if row["adapter_id"] is None:
        return None
    figures: list[dict[str, Any]] = orjson.loads(row["figures"]) if row["figures"] else []
    # a likelihood that rises is a surprise that falls
    gains = [f["baseline"] - f["candidate"] for f in figures if f["name"] == "not_better"]
    return SkillAdapter(
        row["adapter_id"], row["adapter_name"], row["serving_version"], gains[0] if gains else None
    )


def _skill(row: Record) -> SkillRow:
    own = row["scope"] == "user"
    return SkillRow(
        id=row["skill_id"],
        owner_id=UUID(row["subject"]) if own else None,
        tenant_id=row["tenant_id"],
        cluster_id=row["cluster_id"],
        kind=row["kind"],
        scope=row["scope"],
        subject=row["subject"],
        label=(row["label"] if row["renamed"] else row["cluster_label"] or row["label"]) or "",
        label_source="person" if row["renamed"] else row["label_source"] or "words",
        words=[word for word in row["words"] or () if word],
        state=row["state"],
        active=row["active"],
        size=row["size_now"],
        positive=row["positive_now"],
        negative=row["negative_now"],
        people=row["people"] or 0,
        decided_by=row["decided_by"],
        reason=row["reason"],
        merge_into=row["merge_into"],
        merge_overlap=row["merge_overlap"],
        prune_turns=row["prune_turns"],
        prune_days=row["prune_days"],
        proposed_at=row["proposed_at"],
        decided_at=row["decided_at"],
        adapter=_adapter(row),
    )


async def skills_of(pool: Pool, subject: str) -> list[SkillRow]:
    """The skills of an account or tenant, newest proposal first."""
    rows = await pool.fetch(
        _SKILLS + "WHERE s.owner_id = $1 AND s.subject = $1 ORDER BY s.proposed_at DESC, s.skill_id", subject
    )
    return [_skill(row) for row in rows]


class Skills:
    """The skills of all; who may change which is decided before this is asked."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def get(self, skill_id: UUID) -> SkillRow:
        """One skill. Raises NoSuchSkill."""
        row = await self._log.pool.fetchrow(_SKILLS + "WHERE s.skill_id = $1", skill_id)
        if row is None:
            raise NoSuchSkill("There is no such skill.")
        return _skill(row)

    async def of(self, subject: str) -> list[SkillRow]:
        """The skills of an account or tenant, newest proposal first."""
        return await skills_of(self._log.pool, subject)

    async def personal(self, tenant_id: str) -> int:
        """How many skills of single accounts a tenant has."""
        return await self._log.pool.fetchval(
            "SELECT count(*) FROM read.skills WHERE tenant_id = $1 AND scope = 'user'", tenant_id
        )

    async def approve(self, actor: Actor, row: SkillRow, by: Decider) -> SkillRow:
        """Let it be trained and served; also the answer "keep it" to a proposal to merge or prune.

        Raises SkillDecided once it was merged or pruned.
        """
        return await self._decide(actor, row, SkillApproved(skill_id=row.id, by=by))

    async def reject(self, actor: Actor, row: SkillRow, by: Decider, reason: str | None) -> SkillRow:
        """Not to be trained. Raises SkillDecided once it was merged or pruned."""
        return await self._decide(actor, row, SkillRejected(skill_id=row.id, by=by, reason=reason))

    async def merge(self, actor: Actor, row: SkillRow, into: SkillRow, by: Decider) -> SkillRow:
        """Let one skill go into another of the same scope. Raises SkillDecided, NoSuchSkill."""
        if into.id == row.id or (into.scope, into.subject) != (row.scope, row.subject):
            raise NoSuchSkill("There is no such skill to merge into.")
        if into.state in ENDED:
            raise SkillDecided(f"The skill to merge into was {into.state}.", state=into.state)
        return await self._decide(actor, row, SkillMerged(skill_id=row.id, into=into.id, by=by))

    async def prune(self, actor: Actor, row: SkillRow, by: Decider, reason: str | None = None) -> SkillRow:
        """Retire it. Raises SkillDecided once it was merged or pruned."""
        return await self._decide(actor, row, SkillPruned(skill_id=row.id, by=by, reason=reason))

    async def switch(self, actor: Actor, row: SkillRow, active: bool, by: Decider) -> SkillRow:
        """Let it take part in answers, or not."""
        return await self._append(actor, row, SkillSwitched(skill_id=row.id, active=active, by=by))

    async def rename(self, actor: Actor, row: SkillRow, label: str) -> SkillRow:
        """Call it, and its cluster, something else."""
        if row.cluster_id is not None:
            named = ClusterLabelled(cluster_id=row.cluster_id, label=label, source="person")
            position = await self._log.append(named, _meta(actor, row, f"cluster-{row.cluster_id}"))
            await self._log.wait_for(position, "clusters")
        return await self._append(actor, row, SkillRenamed(skill_id=row.id, label=label))

    async def _decide(self, actor: Actor, row: SkillRow, event: Event) -> SkillRow:
        if row.state in ENDED:
            raise SkillDecided(f"The skill was {row.state}.", state=row.state)
        return await self._append(actor, row, event)

    async def _append(self, actor: Actor, row: SkillRow, event: Event) -> SkillRow:
        position = await self._log.append(event, _meta(actor, row, f"skill-{row.id}"))
        await self._log.wait_for(position, PROJECTION)
        return await self.get(row.id)


def _meta(actor: Actor, row: SkillRow, stream: str) -> Meta:
    return Meta(
        owner=row.subject,
        tenant=row.tenant_id,
        actor=str(actor.account_id),
        stream=stream,
        correlation=current_correlation(),
    )
