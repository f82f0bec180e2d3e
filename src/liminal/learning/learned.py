"""What liminal has learned about somebody: read with all that each item rests on, put right, deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from asyncpg import Record

from liminal.identity.actor import Actor
from liminal.learning.errors import NoSuchPreference
from liminal.learning.skills.decisions import SkillRow, skills_of
from liminal.log.envelope import Meta
from liminal.log.events import (
    Event,
    PreferenceConfirmed,
    PreferenceCorrected,
    PreferenceDeleted,
    PreferenceSwitched,
)
from liminal.log.log import Log
from liminal.logging import current_correlation

PROJECTION = "preferences"
SHOWN = 200
"""Pieces of evidence named behind one item; the counts are of all."""


@dataclass(frozen=True, slots=True)
class Source:
    """A message or a piece of feedback that something rests on."""

    kind: Literal["message", "thumb", "correction", "always", "never", "note", "preference"]
    id: UUID
    message_id: UUID | None
    conversation_id: UUID | None
    at: datetime


@dataclass(frozen=True, slots=True)
class PreferenceRow:
    """A wish that was read from what somebody wrote or did, and not deleted."""

    id: UUID
    owner_id: UUID
    tenant_id: str
    statement: str
    dimension: str | None
    value: str | None
    polarity: str
    detector: str
    rule: str | None
    confidence: float
    answer: Literal["open", "confirmed", "corrected"]
    active: bool
    seen: int
    superseded: bool
    created_at: datetime
    last_seen_at: datetime
    sources: list[Source]


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """Evidence that belongs together, with the skill it earned, if any."""

    id: UUID
    label: str
    label_source: str
    words: list[str]
    size: int
    positive: int
    negative: int
    preferences: int
    skill_id: UUID | None
    sources: list[Source]


@dataclass(frozen=True, slots=True)
class Point:
    """Where a piece of evidence lies on the map; ``id`` is None where it is somebody else's."""

    id: UUID | None
    x: float
    y: float
    kind: str
    sign: int
    cluster_id: UUID | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is of what: feedback by kind, and the rest."""

    feedback: dict[str, int]
    preferences: int
    clusters: int
    skills: int


@dataclass(frozen=True, slots=True)
class LearnedAbout:
    """All that was learned about one account."""

    preferences: list[PreferenceRow]
    clusters: list[ClusterRow]
    skills: list[SkillRow]
    shared_skills: list[SkillRow]
    counts: Counts


# somebody who wanted long answers and now wants short ones has turned round; signs of discontent do not
_PREFERENCES = """
    SELECT p.*, p.dimension NOT IN ('answer', 'question') AND EXISTS (
        SELECT FROM read.preferences later
        WHERE later.owner_id = p.owner_id AND later.dimension = p.dimension AND later.active
          AND (later.last_seen_at, later.preference_id) > (p.last_seen_at, p.preference_id)
    ) AS superseded
    FROM read.preferences p WHERE p.{whose} = $1 ORDER BY p.last_seen_at DESC, p.preference_id
"""

_SOURCES = """
    SELECT id, kind, message_id, conversation_id, at FROM (
        SELECT message_id AS id, 'message' AS kind, message_id, conversation_id, created_at AS at
        FROM read.messages WHERE message_id = ANY($1::uuid[]) AND owner_id = $2
        UNION ALL
        SELECT evidence_id, kind, message_id, conversation_id, created_at
        FROM read.evidence WHERE evidence_id = ANY($1::uuid[]) AND owner_id = $2
    ) found ORDER BY at, id
"""

_CLUSTERS = """
    SELECT c.*, s.skill_id, (
        SELECT array_agg(feedback_id ORDER BY since DESC, feedback_id)
        FROM read.cluster_members m WHERE m.cluster_id = c.cluster_id
    ) AS members
    FROM read.clusters c
    LEFT JOIN read.skills s ON s.cluster_id = c.cluster_id AND s.state IN ('proposed', 'approved')
    WHERE c.owner_id = $1 AND c.ended IS NULL AND c.size + c.preferences > 0
    ORDER BY c.size DESC, c.cluster_id
"""

_KINDS = """
    SELECT kind, count(*)::int AS count FROM read.evidence
    WHERE owner_id = $1 AND counts AND kind <> 'preference' GROUP BY kind ORDER BY kind
"""

_POINTS = """
    SELECT feedback_id, owner_id, x, y, kind, sign, cluster_id FROM read.cluster_points
    WHERE subject = $1 AND x IS NOT NULL ORDER BY feedback_id
"""


class Learned:
    """What was learned about each account; who may see and change it is decided before this is asked."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._pool = log.pool

    async def about(self, account_id: UUID, tenant_id: str) -> LearnedAbout:
        """Everything that was learned about an account, and the tenant's skills that its answers may use."""
        preferences = await self.preferences(account_id)
        clusters = await self.clusters(str(account_id), account_id)
        skills = await skills_of(self._pool, str(account_id))
        shared = [skill for skill in await skills_of(self._pool, tenant_id) if skill.state == "approved"]
        kinds = {row["kind"]: row["count"] for row in await self._pool.fetch(_KINDS, account_id)}
        counts = Counts(kinds, len(preferences), len(clusters), len(skills))
        return LearnedAbout(preferences, clusters, skills, shared, counts)

    async def preferences(self, account_id: UUID) -> list[PreferenceRow]:
        """The wishes read from what an account wrote, newest first."""
        rows = await self._pool.fetch(_PREFERENCES.format(whose="owner_id"), account_id)
        sources = await self._sources([row["evidence"][-SHOWN:] for row in rows], account_id)
        return [_preference(row, found) for row, found in zip(rows, sources, strict=True)]

    async def preference(self, preference_id: UUID) -> PreferenceRow:
        """One wish. Raises NoSuchPreference."""
        row = await self._pool.fetchrow(_PREFERENCES.format(whose="preference_id"), preference_id)
        if row is None:
            raise NoSuchPreference("There is no such preference.")
        sources = await self._sources([row["evidence"][-SHOWN:]], row["owner_id"])
        return _preference(row, sources[0])

    async def clusters(self, subject: str, account_id: UUID) -> list[ClusterRow]:
        """The clusters of an account or tenant, largest first, with those sources that are the account's."""
        rows = await self._pool.fetch(_CLUSTERS, subject)
        members: list[list[UUID]] = [(row["members"] or [])[:SHOWN] for row in rows]
        sources = await self._sources(members, account_id)
        return [
            ClusterRow(
                id=row["cluster_id"],
                label=row["label"] or "",
                label_source=row["label_source"] or "words",
                words=[word for word in row["words"] if word],
                size=row["size"],
                positive=row["positive"],
                negative=row["negative"],
                preferences=row["preferences"],
                skill_id=row["skill_id"],
                sources=found,
            )
            for row, found in zip(rows, sources, strict=True)
        ]

    async def map(self, subject: str, account_id: UUID) -> list[Point]:
        """The map of an account or tenant; ids only of what is the account's own."""
        rows = await self._pool.fetch(_POINTS, subject)
        return [
            Point(
                row["feedback_id"] if row["owner_id"] == account_id else None,
                row["x"],
                row["y"],
                row["kind"],
                row["sign"],
                row["cluster_id"],
            )
            for row in rows
        ]

    async def confirm(self, actor: Actor, row: PreferenceRow) -> None:
        """It is right."""
        await self._append(actor, row, PreferenceConfirmed(preference_id=row.id))

    async def correct(self, actor: Actor, row: PreferenceRow, statement: str, value: str | None) -> None:
        """It is not quite right: this is."""
        event = PreferenceCorrected(preference_id=row.id, statement=statement, value=value)
        await self._append(actor, row, event)

    async def switch(self, actor: Actor, row: PreferenceRow, active: bool) -> None:
        """Let it count, or not."""
        await self._append(actor, row, PreferenceSwitched(preference_id=row.id, active=active))

    async def delete(self, actor: Actor, row: PreferenceRow) -> None:
        """Forget it; it is not read again from the same words."""
        await self._append(actor, row, PreferenceDeleted(preference_id=row.id))

    async def _append(self, actor: Actor, row: PreferenceRow, event: Event) -> None:
        meta = Meta(
            owner=str(row.owner_id),
            tenant=row.tenant_id,
            actor=str(actor.account_id),
            stream=f"preference-{row.id}",
            correlation=current_correlation(),
        )
        await self._log.wait_for(await self._log.append(event, meta), PROJECTION)

    async def _sources(self, wanted: list[list[UUID]], account_id: UUID) -> list[list[Source]]:
        every = list({one for ids in wanted for one in ids})
        rows = await self._pool.fetch(_SOURCES, every, account_id) if every else []
        found = {
            row["id"]: Source(row["kind"], row["id"], row["message_id"], row["conversation_id"], row["at"])
            for row in rows
        }
        return [[found[one] for one in ids if one in found] for ids in wanted]


def _preference(row: Record, sources: list[Source]) -> PreferenceRow:
    return PreferenceRow(
        id=row["preference_id"],
        owner_id=row["owner_id"],
        tenant_id=row["tenant_id"],
        statement=row["statement"] or "",
        dimension=row["dimension"],
        value=row["value"],
        polarity=row["polarity"],
        detector=row["detector"],
        rule=row["rule"],
        confidence=round(row["confidence"], 3),
        answer=row["answer"],
        active=row["active"],
        seen=row["seen"],
        superseded=bool(row["superseded"]),
        created_at=row["created_at"],
        last_seen_at=row["last_seen_at"],
        sources=sources,
    )
