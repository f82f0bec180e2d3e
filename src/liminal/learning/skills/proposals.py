"""From clusters to skills: what the thresholds propose, approve, and find to be one too many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

import numpy as np
from asyncpg import Record

from liminal.log.envelope import Meta
from liminal.log.errors import VersionConflict
from liminal.log.events import (
    Event,
    SkillApproved,
    SkillMergeProposed,
    SkillProposed,
    SkillPruneProposed,
)
from liminal.log.ids import derived_id
from liminal.log.log import Log
from liminal.steering.artifacts import InForce, current_learning_policy
from liminal.steering.learning_policy import LearningPolicy

ACTOR = "gather"

_CANDIDATES = """
    SELECT c.*, s.skill_id, s.state FROM read.clusters c
    LEFT JOIN read.skills s ON s.cluster_id = c.cluster_id
    WHERE c.owner_id = $1 AND c.ended IS NULL ORDER BY c.formed_at, c.cluster_id
"""
_LIVING = """
    SELECT s.skill_id, s.cluster_id, s.merge_asked, s.decided_at, c.centroid, c.ended, c.ended_into, c.size
    FROM read.skills s JOIN read.clusters c ON c.cluster_id = s.cluster_id
    WHERE s.owner_id = $1 AND s.state = 'approved' ORDER BY s.proposed_at, s.skill_id
"""
_UNUSED = """
    SELECT s.skill_id, count(t.turn_id)::int AS turns
    FROM read.skills s
    JOIN read.adapters a ON a.skill_id = s.skill_id AND NOT a.retired AND a.serving_version IS NOT NULL
    LEFT JOIN read.turns t ON t.adapters @> jsonb_build_array(jsonb_build_object('adapter_id', a.adapter_id))
        AND t.requested_at > now() - make_interval(days => $2)
    WHERE s.owner_id = $1 AND s.state = 'approved' AND s.prune_days IS NULL
      AND s.decided_at < now() - make_interval(days => $2)
    GROUP BY s.skill_id HAVING count(t.turn_id) = 0 ORDER BY s.skill_id
"""


class Proposer:
    """Looks at a subject's clusters and skills after a pass."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def propose(self, event: Mapping[str, Any]) -> None:
        """Propose skills, merges and prunes; ``event`` is ``clustering.completed`` in flat form."""
        policy = await current_learning_policy(self._log, event["_tenant"])
        for row in await self._log.pool.fetch(_CANDIDATES, event["subject"]):
            if row["skill_id"] is None and is_skill(dict(row), event["scope"], policy.body):
                await self._propose(event, row, policy)
            elif row["state"] == "proposed":
                await self._approve(event, row["skill_id"], policy)
        for skill_id, into, overlap in await self._overlaps(
            event["subject"], policy.body.skill.merge_overlap
        ):
            merge = SkillMergeProposed(skill_id=skill_id, into=into, overlap=overlap)
            await self._append(event, skill_id, merge, f"merge {into}")
        days = policy.body.skill.prune_days
        for row in await self._log.pool.fetch(_UNUSED, event["subject"], days):
            prune = SkillPruneProposed(skill_id=row["skill_id"], turns=row["turns"], days=days)
            await self._append(event, row["skill_id"], prune, f"prune {event['run_id']}")

    async def _propose(self, event: Mapping[str, Any], row: Record, policy: InForce[LearningPolicy]) -> None:
        skill_id = derived_id(row["cluster_id"], "skill")
        proposed = SkillProposed(
            skill_id=skill_id,
            cluster_id=row["cluster_id"],
            kind="skill",
            scope=event["scope"],
            subject=event["subject"],
            label=row["label"] or "",
            size=row["size"],
            positive=row["positive"],
            negative=row["negative"],
            thresholds_id=policy.id,
            thresholds_version=policy.version,
        )
        await self._append(event, skill_id, proposed, "proposed", expected=0)
        await self._approve(event, skill_id, policy)

    async def _approve(
        self, event: Mapping[str, Any], skill_id: UUID, policy: InForce[LearningPolicy]
    ) -> None:
        if approval_of(event["scope"], policy.body) == "rule":
            approved = SkillApproved(skill_id=skill_id, by="rule", rule=f"{policy.id}@{policy.version}")
            await self._append(event, skill_id, approved, "approved", expected=1)

    async def _overlaps(self, subject: str, least: float) -> list[tuple[UUID, UUID, float]]:
        """Skills that go into others: their cluster did, or lies where another's does."""
        rows = await self._log.pool.fetch(_LIVING, subject)
        by_cluster = {row["cluster_id"]: row for row in rows if row["ended"] is None}
        found: list[tuple[UUID, UUID, float]] = [
            (row["skill_id"], by_cluster[row["ended_into"][0]]["skill_id"], 1.0)
            for row in rows
            if row["ended"] == "merged" and row["ended_into"][0] in by_cluster
        ]
        living = [row for row in by_cluster.values() if row["centroid"]]
        for later in range(1, len(living)):
            for earlier in range(later):
                overlap = float(np.dot(living[later]["centroid"], living[earlier]["centroid"]))
                if overlap >= least:
                    found.append((living[later]["skill_id"], living[earlier]["skill_id"], round(overlap, 4)))
                    break
        asked = {(row["skill_id"], row["merge_asked"]) for row in rows}
        return [pair for pair in found if pair[:2] not in asked]

    async def _append(
        self, event: Mapping[str, Any], skill_id: UUID, made: Event, name: str, expected: int | None = None
    ) -> None:
        meta = Meta(
            owner=event["_owner"],
            tenant=event["_tenant"],
            actor=ACTOR,
            stream=f"skill-{skill_id}",
            causation=UUID(event["_id"]),
            correlation=UUID(event["run_id"]),
            id=derived_id(skill_id, name),
        )
        try:
            await self._log.append(made, meta, expected_version=expected)
        except VersionConflict:
            return  # it was proposed, or decided on, before


def is_skill(row: Mapping[str, Any], scope: Literal["user", "tenant"], policy: LearningPolicy) -> bool:
    """Whether a cluster is big, consistently positive, and of a tenant's: of several people."""
    judged = row["positive"] + row["negative"]
    return (
        row["size"] >= policy.skill.least_size
        and judged > 0
        and row["positive"] >= policy.skill.least_positive * judged
        and (scope == "user" or row["people"] >= policy.skill.least_people)
    )


def approval_of(scope: Literal["user", "tenant"], policy: LearningPolicy) -> Literal["rule", "admin"]:
    """Who approves a proposal of a scope."""
    return policy.skill.approval if scope == "user" else policy.skill.tenant_approval
