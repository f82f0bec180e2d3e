"""Approved skills and the feedback that they rest on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from liminal.storage.postgres import Pool

_SKILL = """
    SELECT skill_id, cluster_id, scope, subject, tenant_id, label FROM read.skills
    WHERE skill_id = $1 AND state = 'approved' AND kind = 'skill'
"""
_OF_CLUSTER = (
    "SELECT skill_id FROM read.skills WHERE cluster_id = $1 AND state = 'approved' ORDER BY skill_id"
)
_MEMBERS = "SELECT feedback_id FROM read.cluster_members WHERE cluster_id = $1 ORDER BY feedback_id"


async def approved_skill(pool: Pool, skill_id: UUID) -> Mapping[str, Any] | None:
    """A skill that may be trained, or None."""
    row = await pool.fetchrow(_SKILL, skill_id)
    return None if row is None else dict(row)


async def skills_of_cluster(pool: Pool, cluster_id: UUID) -> list[UUID]:
    """The approved skills that rest on a cluster."""
    return [row["skill_id"] for row in await pool.fetch(_OF_CLUSTER, cluster_id)]


async def members_of(pool: Pool, skill: Mapping[str, Any]) -> list[UUID]:
    """The feedback in a skill's cluster now."""
    return [row["feedback_id"] for row in await pool.fetch(_MEMBERS, skill["cluster_id"])]
