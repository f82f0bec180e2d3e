"""Bodies and replies of what liminal has learned, and of skills and clusters."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from liminal.api.schema import Body, Page, PageQuery, View
from liminal.learning.learned import ClusterRow, Point, PreferenceRow, Source
from liminal.learning.skills.decisions import SkillRow


class LearnedSource(View):
    """What an item rests on: a message, or feedback on a message, of the caller's own."""

    model_config = ConfigDict(from_attributes=True)

    kind: Literal["message", "thumb", "correction", "always", "never", "note", "preference"]
    id: UUID
    message_id: UUID | None
    conversation_id: UUID | None
    at: datetime


class LearnedPreference(View):
    """A wish that was read from how the caller writes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0199f1c2-8a3b-7c4d-9e5f-0a1b2c3d4e62",
                    "statement": "Answer more briefly.",
                    "dimension": "length",
                    "value": "short",
                    "polarity": "like",
                    "detector": "rule",
                    "rule": "length.short@wishes.1",
                    "confidence": 0.94,
                    "state": "open",
                    "active": True,
                    "seen": 2,
                    "superseded": False,
                    "created_at": "2026-11-23T17:05:00Z",
                    "last_seen_at": "2026-11-24T09:00:00Z",
                    "sources": [],
                }
            ]
        }
    )

    id: UUID
    statement: str
    dimension: str | None
    value: str | None
    polarity: Literal["like", "dislike", "always", "never"]
    detector: Literal["rule", "model"]
    rule: str | None = Field(description="the rule, and the version of the table that it is from")
    confidence: float = Field(description="0 to 1; it grows with every sign")
    state: Literal["open", "confirmed", "corrected"]
    active: bool
    seen: int = Field(description="how often it was read")
    superseded: bool = Field(description="a newer wish about the same thing is in force")
    created_at: datetime
    last_seen_at: datetime
    sources: list[LearnedSource]


class LearnedCluster(View):
    """Feedback that belongs together."""

    id: UUID
    label: str
    label_source: Literal["model", "words", "person"]
    words: list[str]
    size: int
    positive: int
    negative: int
    preferences: int = Field(description="wishes in it, beside the feedback")
    skill_id: UUID | None
    sources: list[LearnedSource]


class SkillAdapterView(View):
    """What was trained for a skill; ``version`` is null until one passed its gate."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    version: int | None
    lift: float | None = Field(description="gain on held-out answers, as its gate measured it")


class Skill(View):
    """Something to do well, learned from a cluster of feedback."""

    id: UUID
    cluster_id: UUID | None
    kind: Literal["persona", "skill"]
    scope: Literal["user", "tenant"]
    label: str
    label_source: Literal["model", "words", "person"]
    words: list[str]
    state: Literal["proposed", "approved", "rejected", "merged", "pruned"]
    active: bool
    size: int
    positive: int
    negative: int
    people: int
    decided_by: Literal["user", "admin", "rule", "system"] | None
    reason: str | None
    merge_into: UUID | None = Field(description="the skill that a merge is proposed with")
    merge_overlap: float | None
    prune_turns: int | None = Field(description="turns it took part in, where pruning is proposed")
    prune_days: int | None
    proposed_at: datetime
    decided_at: datetime | None
    adapter: SkillAdapterView | None


class LearnedCounts(View):
    """How much there is of what."""

    model_config = ConfigDict(from_attributes=True)

    feedback: dict[str, int] = Field(description="pieces of feedback by kind")
    preferences: int
    clusters: int
    skills: int


class LearnedReply(View):
    """What liminal has learned about the caller, each item with what it rests on."""

    preferences: list[LearnedPreference]
    clusters: list[LearnedCluster]
    skills: list[Skill]
    shared_skills: list[Skill] = Field(description="approved skills of the whole tenant")
    counts: LearnedCounts


class PreferencePatch(Body):
    """Confirm it, put it right (``statement``), or switch it off and on (``active``)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"confirmed": True}, {"active": False}]})

    confirmed: Literal[True] | None = None
    statement: str | None = Field(default=None, min_length=1, max_length=500)
    value: str | None = Field(default=None, min_length=1, max_length=200)
    active: bool | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> PreferencePatch:
        if self.statement is None and self.value is not None:
            raise ValueError("a value goes with a statement")
        if self.confirmed is None and self.statement is None and self.active is None:
            raise ValueError("name confirmed, statement or active")
        return self


class SkillPatch(Body):
    """Rename it, switch it off and on, approve or reject it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"active": False}, {"label": "Units"}]})

    label: str | None = Field(default=None, min_length=1, max_length=80)
    active: bool | None = None
    decision: Literal["approve", "reject"] | None = None
    reason: str | None = Field(default=None, max_length=500)

    @model_validator(mode="after")
    def _changes_something(self) -> SkillPatch:
        if self.label is None and self.active is None and self.decision is None:
            raise ValueError("name label, active or decision")
        return self


class Reason(Body):
    """Why; the words go to the log."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})

    reason: str | None = Field(default=None, max_length=500)


class MergeInto(Body):
    """The skill that lives on."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"into": "0199f1c2-8a3b-7c4d-9e5f-0a1b2c3d4e62"}]}
    )

    into: UUID


class MapPoint(View):
    """A piece of evidence on the map; ``id`` is null where it is not the caller's own."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID | None
    x: float
    y: float
    kind: str
    sign: Literal[-1, 0, 1]
    cluster_id: UUID | None


class MapCluster(View):
    """A cluster on the map: its label stands at the middle of its points."""

    id: UUID
    label: str
    label_source: Literal["model", "words", "person"]
    size: int
    skill_id: UUID | None


class SkillMap(View):
    """Evidence in two dimensions, from UMAP; from principal components where there is little."""

    points: list[MapPoint]
    clusters: list[MapCluster]


class SkillList(View):
    """The skills of the admin's tenant, newest proposal first, and the thresholds in force."""

    items: list[Skill]
    thresholds_version: int
    personal: int = Field(description="skills of single accounts of this tenant; only their owners see them")


class ClusteringRun(View):
    """One pass over the evidence."""

    id: UUID
    scope: Literal["user", "tenant"]
    algorithm: Literal["hdbscan", "rule"]
    points: int
    clusters: int
    formed: int
    changed: int
    ended: int
    positions: dict[str, int]
    seed: int
    decided_at: datetime
    completed_at: datetime | None


class ClusteringRunPage(Page[ClusteringRun]):
    """Passes, newest first."""


class ClusteringRunQuery(PageQuery):
    """Passes of the admin's tenant."""


def source_view(row: Source) -> LearnedSource:
    """Evidence as its owner sees it."""
    return LearnedSource.model_validate(row)


def preference_view(row: PreferenceRow) -> LearnedPreference:
    """A preference as its owner sees it."""
    return LearnedPreference.model_validate(
        {
            "id": row.id,
            "statement": row.statement,
            "dimension": row.dimension,
            "value": row.value,
            "polarity": row.polarity,
            "detector": row.detector,
            "rule": row.rule,
            "confidence": row.confidence,
            "state": row.answer,
            "active": row.active,
            "seen": row.seen,
            "superseded": row.superseded,
            "created_at": row.created_at,
            "last_seen_at": row.last_seen_at,
            "sources": [source_view(source) for source in row.sources],
        }
    )


def cluster_view(row: ClusterRow) -> LearnedCluster:
    """A cluster as its owner sees it."""
    return LearnedCluster.model_validate(
        {
            "id": row.id,
            "label": row.label,
            "label_source": row.label_source,
            "words": row.words,
            "size": row.size,
            "positive": row.positive,
            "negative": row.negative,
            "preferences": row.preferences,
            "skill_id": row.skill_id,
            "sources": [source_view(source) for source in row.sources],
        }
    )


def skill_view(row: SkillRow) -> Skill:
    """A skill as its owner or the tenant's admin sees it."""
    shown = {name: getattr(row, name) for name in Skill.model_fields if name != "adapter"}
    adapter = None if row.adapter is None else SkillAdapterView.model_validate(row.adapter)
    return Skill.model_validate({**shown, "adapter": adapter})


def map_view(points: list[Point], clusters: list[ClusterRow]) -> SkillMap:
    """The map as its owner or the tenant's admin sees it."""
    return SkillMap(
        points=[MapPoint.model_validate(point) for point in points],
        clusters=[
            MapCluster.model_validate(
                {
                    "id": row.id,
                    "label": row.label,
                    "label_source": row.label_source,
                    "size": row.size,
                    "skill_id": row.skill_id,
                }
            )
            for row in clusters
        ],
    )
