"""``policy.learning``: every threshold of the way from feedback to a serving adapter.

A field that an older version on the log lacks has the default shown here, so fields may be added, never
renamed. A reaction that decides by it records the version that it read.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1, le=100_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=30 * 86_400)]


class Section(BaseModel):
    """A group of thresholds; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Persona(Section):
    """When one person's feedback becomes an adapter of their own."""

    least_feedback: Count = 4
    """Pieces of feedback before a first version is trained."""
    more_feedback: Count = 3
    """New pieces before another version is."""


class Clustering(Section):
    """How feedback is gathered into clusters."""

    least_points: Count = 2
    """Pieces of feedback before anything is clustered."""
    hdbscan_points: Count = 40
    """Pieces from which UMAP and HDBSCAN are used; below, the simple rule."""
    min_cluster_size: Count = 5
    """HDBSCAN's smallest cluster."""
    rule_cluster_size: Count = 3
    """The simple rule's smallest cluster."""
    rule_similarity: Share = 0.2
    """The simple rule: average linkage, cut where clusters are less alike than this (cosine)."""
    join_similarity: Share = 0.4
    """Least similarity to the middle of a cluster with which a piece that is left over joins it."""
    every_pieces: Count = 10
    """New pieces after which clustering runs again."""
    every_seconds: Seconds = 300
    """Seconds after which it runs again, where there is any new piece."""


class Skill(Section):
    """When a cluster becomes a skill, and when a skill is merged or pruned."""

    least_size: Count = 8
    """Pieces of feedback in the cluster."""
    least_positive: Share = 0.7
    """Share of them that is a like or a correction."""
    least_people: Count = 3
    """Of a tenant's skill: people whose feedback is in the cluster, and who wrote each word of its label."""
    approval: Literal["rule", "admin"] = "rule"
    """Whether a person's own skill is approved by these thresholds alone, or waits for them."""
    tenant_approval: Literal["rule", "admin"] = "admin"
    """Whether a tenant's skill is approved by these thresholds alone, or waits for an admin."""
    merge_overlap: Share = 0.85
    """Overlap of two skills from which a merge is proposed."""
    prune_days: Count = 30
    """Days without a turn after which pruning is proposed."""


class Gate(Section):
    """What a version must show before it serves."""

    interval: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Level of the bootstrap interval that the gain on held-out answers must lie above zero in."""
    general_budget: Share = 0.02
    """Share by which the likelihood of answers that have one form, whatever the style, may fall."""
    told_budget: Share = 0.05
    """Share by which that of answers may fall whose form was asked for: in all else they may show a habit."""
    regressions: Annotated[int, Field(ge=0)] = 0
    """Stored corrections that the serving version kept and the candidate may lose."""


class Rollback(Section):
    """When live feedback takes a promoted version back."""

    level: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Level of the one-sided test that the version is liked less than the one before it."""
    least_feedback: Count = 10
    """Judged answers of the version before it is tested."""


class Training(Section):
    """When training runs."""

    pause_latency_ms: Annotated[float, Field(gt=0)] = 2000
    """Nothing trains while a turn waits longer than this for its first token."""
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """Times that a run is begun before it has failed."""


class LearningPolicy(Section):
    """All of it."""

    persona: Persona = Persona()
    clustering: Clustering = Clustering()
    skill: Skill = Skill()
    gate: Gate = Gate()
    rollback: Rollback = Rollback()
    training: Training = Training()
