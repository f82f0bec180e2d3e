"""Clusters of feedback, and the skills they earn."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from liminal.log.event import Event, Part
from liminal.log.personal import Personal
from liminal.log.types.common import By, Scope, Slug, Text, Version

Members = Annotated[list[UUID], Field(max_length=20_000)]
Centroid = Annotated[list[float], Personal]


class ClusteringEvent(Event):
    """Any event of the clustering of a user's or tenant's evidence, on ``clustering-<subject>``."""

    category = "clustering"

    scope: Scope
    """Whose feedback."""
    subject: str
    """The account or tenant."""


class ClusteringRequested(ClusteringEvent):
    """Somebody wants the clusters now, whatever the counts say."""

    type = "clustering.requested"

    by: By
    """Who asked."""


class ClusteringRun(ClusteringEvent):
    """Any event of one pass."""

    run_id: UUID
    """The pass."""
    positions: dict[str, int]
    """Offset after the last event seen, by partition."""
    algorithm: Literal["hdbscan", "rule"]
    """UMAP and HDBSCAN, or the simple rule for little data."""
    parameters: dict[str, float | int | str]
    """Its parameters."""
    seed: int
    """Its seed."""
    points: Annotated[int, Field(ge=0)]
    """How many pieces of evidence."""
    clusters: Annotated[int, Field(ge=0)]
    """How many clusters."""


class ClusterChange(Part):
    """What one pass does to one cluster."""

    cluster_id: UUID
    """The cluster."""
    change: Literal["formed", "assigned", "split", "merged", "died"]
    """Which event it becomes."""
    added: Members = []
    """Evidence that joins."""
    removed: Members = []
    """Evidence that leaves."""
    into: list[UUID] = []
    """Of a split: the parts. Of a merge: the one that lives on."""


class ClusteringDecided(ClusteringRun):
    """One pass over all the evidence of a user or tenant; the same inputs give the same result.

    Versioned, and all that follows is derived from it: of two workers that meet on one pass one is accepted,
    and who takes over from one that died writes the same.
    """

    type = "clustering.decided"

    changes: list[ClusterChange]
    """What becomes of the clusters, in order."""


class ClusteringMapped(ClusteringEvent):
    """Where the evidence of a pass lies on a map of two dimensions; large maps come in several events."""

    type = "clustering.mapped"

    run_id: UUID
    """The pass."""
    members: Annotated[list[UUID], Field(max_length=5_000)]
    """The evidence."""
    x: Centroid
    """Of each member."""
    y: Centroid
    """Of each member."""


class ClusteringCompleted(ClusteringRun):
    """All that follows from a pass is on the log."""

    type = "clustering.completed"


class ClusterEvent(Event):
    """Any event of one cluster, on the stream ``cluster-<cluster_id>``."""

    category = "cluster"

    cluster_id: UUID
    """The cluster; it keeps its identity when clustering runs again."""


class ClusterFormed(ClusterEvent):
    """A cluster appeared."""

    type = "cluster.formed"

    run_id: UUID
    """The pass that found it."""
    scope: Scope
    """Whose feedback."""
    subject: str
    """The account or tenant."""
    members: Members
    """Its evidence: feedback, and preferences read from how people write."""
    centroid: Centroid | None = None
    """Its middle in the space of embeddings."""


class ClusterAssigned(ClusterEvent):
    """The members of a cluster changed."""

    type = "cluster.assigned"

    run_id: UUID
    """The pass that changed them."""
    added: Members = []
    """Evidence that joined."""
    removed: Members = []
    """Evidence that left."""
    centroid: Centroid | None = None
    """Its middle from now on."""


class ClusterSplit(ClusterEvent):
    """A cluster fell apart; it keeps its identity only when it is among the parts."""

    type = "cluster.split"

    run_id: UUID
    """The pass that found it."""
    into: list[UUID]
    """The parts."""


class ClusterMerged(ClusterEvent):
    """A cluster went into another."""

    type = "cluster.merged"

    run_id: UUID
    """The pass that found it."""
    into: UUID
    """The cluster that lives on."""


class ClusterDied(ClusterEvent):
    """A cluster has no members any more."""

    type = "cluster.died"

    run_id: UUID
    """The pass that found it."""


class ClusterLabelled(ClusterEvent):
    """A cluster got a name."""

    type = "cluster.labelled"

    label: Text
    """The name."""
    source: Literal["model", "words", "person"]
    """Written by the model, its most typical words, or a person's choice."""
    words: list[Text] = []
    """Its most typical words."""


class SkillEvent(Event):
    """Any event of one skill, on the stream ``skill-<skill_id>``."""

    category = "skill"

    skill_id: UUID
    """The skill."""


class SkillProposed(SkillEvent):
    """A cluster is big and consistent enough to earn an adapter."""

    type = "skill.proposed"

    cluster_id: UUID | None = None
    """The cluster; None for a persona, which rests on all of one's feedback."""
    kind: Literal["persona", "skill"]
    """All of one person's habits, or one thing to do well."""
    scope: Scope
    """Whose answers it may change."""
    subject: str
    """The account or tenant."""
    label: Text
    """Its name."""
    size: Annotated[int, Field(ge=0)]
    """How many pieces of feedback it rests on."""
    positive: Annotated[int, Field(ge=0)] = 0
    """How many of them are positive or corrections."""
    negative: Annotated[int, Field(ge=0)] = 0
    """How many are negative."""
    thresholds_id: Slug | None = None
    """The artifact that holds the thresholds."""
    thresholds_version: Version | None = None
    """Its version."""


class SkillApproved(SkillEvent):
    """The skill may be trained and served."""

    type = "skill.approved"

    by: By
    """Who approved it."""
    rule: str | None = None
    """The rule, where a rule did."""


class SkillRejected(SkillEvent):
    """The skill may not be trained."""

    type = "skill.rejected"

    by: By
    """Who rejected it."""
    reason: Text | None = None
    """Why."""


class SkillRenamed(SkillEvent):
    """The skill's name changed."""

    type = "skill.renamed"

    label: Text
    """The new name."""


class SkillSwitched(SkillEvent):
    """The skill was put off, or on again."""

    type = "skill.switched"

    active: bool
    """Whether it takes part in answers."""
    by: By = "user"
    """Who switched it."""


class SkillMergeProposed(SkillEvent):
    """Two skills overlap."""

    type = "skill.merge_proposed"

    into: UUID
    """The skill that would live on."""
    overlap: float
    """How alike they are, from 0 to 1."""


class SkillMerged(SkillEvent):
    """A skill went into another."""

    type = "skill.merged"

    into: UUID
    """The skill that lives on."""
    by: By
    """Who decided."""


class SkillPruneProposed(SkillEvent):
    """A skill is hardly used."""

    type = "skill.prune_proposed"

    turns: Annotated[int, Field(ge=0)]
    """Turns it took part in since it was last looked at."""
    days: Annotated[int, Field(ge=0)]
    """How long that is."""


class SkillPruned(SkillEvent):
    """A skill was retired."""

    type = "skill.pruned"

    by: By
    """Who decided."""
    reason: Text | None = None
    """Why."""
