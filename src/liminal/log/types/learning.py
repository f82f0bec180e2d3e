"""Clusters of feedback, the skills they earn, and the training runs of those."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from liminal.log.event import Event, Part
from liminal.log.personal import Personal
from liminal.log.types.common import BlobRef, By, Scope, Slug, Text, Version

Members = Annotated[list[UUID], Field(max_length=20_000)]
Centroid = Annotated[list[float], Personal]


class ClusteringCompleted(Event):
    """One pass over all the feedback of a user or tenant; the same inputs give the same result."""

    type = "clustering.completed"
    category = "clustering"

    run_id: UUID
    """The pass."""
    scope: Scope
    """Whose feedback."""
    subject: str
    """The account or tenant."""
    positions: dict[str, int]
    """Offset after the last event seen, by partition."""
    algorithm: Literal["hdbscan", "rule"]
    """UMAP and HDBSCAN, or the simple rule for little data."""
    parameters: dict[str, float | int | str]
    """Its parameters."""
    seed: int
    """Its seed."""
    points: Annotated[int, Field(ge=0)]
    """How many pieces of feedback."""
    clusters: Annotated[int, Field(ge=0)]
    """How many clusters."""


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
    """Its feedback."""
    centroid: Centroid | None = None
    """Its middle in the space of embeddings."""


class ClusterAssigned(ClusterEvent):
    """The members of a cluster changed."""

    type = "cluster.assigned"

    run_id: UUID
    """The pass that changed them."""
    added: Members = []
    """Feedback that joined."""
    removed: Members = []
    """Feedback that left."""
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


class Dataset(Part):
    """Training data as a blob, with the list of events it came from inside."""

    blob: BlobRef
    """The data."""
    examples: Annotated[int, Field(ge=0)]
    """Examples to train on."""
    held_out: Annotated[int, Field(ge=0)]
    """Examples kept back for the gate."""
    replay: Annotated[int, Field(ge=0)] = 0
    """Examples of the general set mixed in."""
    methods: dict[str, int] = {}
    """Examples by loss: sft, dpo, kto."""


class TrainingEvent(Event):
    """Any event of one training run, on the stream ``training-<run_id>``."""

    category = "training"

    run_id: UUID
    """The run."""


class TrainingQueued(TrainingEvent):
    """A run waits for its turn; all that decides its result is written here."""

    type = "training.queued"

    adapter_id: UUID
    """The adapter it trains."""
    adapter_version: Version
    """The version it will be."""
    skill_id: UUID | None = None
    """The skill it is for."""
    scope: Scope
    """Whose answers it may change."""
    subject: str
    """The account or tenant."""
    base_model: str
    """The base model."""
    base_hash: str
    """Hash of the base model's weights."""
    parent_version: Version | None = None
    """The version it starts from and is held against; None for the base."""
    dataset: Dataset
    """What it learns from."""
    method: Literal["sft", "dpo", "kto", "mixed"]
    """The loss."""
    hyperparameters: dict[str, float | int | str | bool | list[str]]
    """All that decides the result besides data and seed."""
    seed: int
    """Its seed."""
    reason: Literal["approved", "more_evidence", "withdrawal", "retry", "requested"]
    """Why it was queued."""


class TrainingStarted(TrainingEvent):
    """A worker took the run."""

    type = "training.started"

    worker: str
    """The worker."""
    attempt: Annotated[int, Field(ge=1)] = 1
    """How many workers had taken it."""


class TrainingProgress(TrainingEvent):
    """How far the run is."""

    type = "training.progress"

    step: Annotated[int, Field(ge=0)]
    """Steps done."""
    steps: Annotated[int, Field(ge=1)]
    """Steps in all."""
    metrics: dict[str, float] = {}
    """Loss and its parts, norm of the gradient, tokens a second."""
    checkpoint: BlobRef | None = None
    """Where a killed run goes on from."""


class TrainingDone(TrainingEvent):
    """The run ended; its weights are a candidate, not yet a version that serves."""

    type = "training.done"

    weights: BlobRef
    """The adapter as a PEFT archive."""
    content_hash: str
    """Hash of the weights alone."""
    steps: Annotated[int, Field(ge=0)]
    """Steps taken."""
    seconds: Annotated[float, Field(ge=0)]
    """How long it took."""
    metrics: dict[str, float] = {}
    """Its last figures."""


class TrainingFailed(TrainingEvent):
    """The run broke off."""

    type = "training.failed"

    error_code: str
    """Stable code of the error."""
    message: str
    """The error in a sentence; nothing personal."""
    retryable: bool
    """Whether it goes back to the queue."""
    attempt: Annotated[int, Field(ge=1)] = 1
    """How many workers had taken it."""


class TrainingCancelled(TrainingEvent):
    """The run was called off."""

    type = "training.cancelled"

    by: By
    """Who called it off."""
    reason: Text | None = None
    """Why."""
