"""Adapters and their versions: nothing serves without having passed its gate (invariant I7)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from liminal.log.event import Event, Part
from liminal.log.types.common import BlobRef, By, Scope, Sha256, Slug, Text, Version


class AdapterEvent(Event):
    """Any event of one adapter, on the stream ``adapter-<adapter_id>``."""

    category = "adapter"

    adapter_id: UUID
    """The adapter."""


class AdapterCreated(AdapterEvent):
    """An adapter came to be, without a version yet."""

    type = "adapter.created"

    name: Slug
    """Its name, unique within its scope."""
    kind: Literal["persona", "skill", "imported"]
    """What it is for."""
    scope: Scope
    """Whose answers it may change."""
    subject: str
    """The account or tenant."""
    skill_id: UUID | None = None
    """The skill that earned it."""
    base_model: str
    """The base model it belongs to."""


class AdapterVersionEvent(AdapterEvent):
    """Any event of one version of an adapter."""

    adapter_version: Version
    """The version."""


class AdapterVersionTrained(AdapterVersionEvent):
    """A version exists and waits for its gate."""

    type = "adapter.version.trained"

    run_id: UUID | None = None
    """The run that made it; None for one made elsewhere."""
    weights: BlobRef
    """The adapter as a PEFT archive."""
    content_hash: Sha256
    """Hash of the weights alone: the engine's name for it."""
    base_model: str
    """The base model."""
    base_hash: str
    """Hash of the base model's weights."""
    rank: Annotated[int, Field(ge=1)]
    """Rank of its matrices."""
    alpha: float
    """LoRA's alpha; the adapter is scaled by alpha/rank."""
    targets: list[str]
    """Modules it changes."""
    parent_version: Version | None = None
    """The version it started from."""
    dataset_hash: Sha256 | None = None
    """The data it learned from."""
    feedback_ids: list[UUID] = []
    """The feedback that shaped it."""


class Figure(Part):
    """One figure of a gate's report."""

    name: str
    """What was measured."""
    candidate: float
    """The new version's figure."""
    baseline: float
    """The serving version's figure, or the base model's."""
    low: float | None = None
    """Lower end of the bootstrap interval of the difference."""
    high: float | None = None
    """Upper end of it."""
    passed: bool
    """Whether it is good enough."""


class AdapterVersionEvaluated(AdapterVersionEvent):
    """A version was measured against the serving one."""

    type = "adapter.version.evaluated"

    passed: bool
    """Whether it passed every part of the gate."""
    figures: list[Figure]
    """What was measured."""
    baseline_version: Version | None = None
    """The version it was held against; None for the base model."""
    examples: Annotated[int, Field(ge=0)]
    """Held-out examples used."""
    regressions: Annotated[int, Field(ge=0)] = 0
    """Stored correction cases that passed before and fail now."""
    report: BlobRef | None = None
    """The whole report, with examples side by side."""
    seed: int
    """Seed of sampling and bootstrap."""


class AdapterVersionPromoted(AdapterVersionEvent):
    """A version serves from now on."""

    type = "adapter.version.promoted"

    previous: Version | None = None
    """The version that served before."""
    by: By
    """Who promoted it."""


class AdapterVersionRejected(AdapterVersionEvent):
    """A version did not pass its gate, or was turned down."""

    type = "adapter.version.rejected"

    by: By
    """Who rejected it."""
    reasons: list[str]
    """Stable codes: not_better, general_nll, told_nll, regressions, turned_down, not_judged."""
    figures: list[Figure] = []
    """What was measured."""


class AdapterVersionRolledBack(AdapterVersionEvent):
    """A version stopped serving; the one it names serves again."""

    type = "adapter.version.rolled_back"

    to_version: Version | None = None
    """The version that serves again; None for the base model alone."""
    by: By
    """Who rolled it back."""
    reason: Text | None = None
    """Why."""


class AdapterVersionTainted(AdapterVersionEvent):
    """Feedback that shaped the version was withdrawn: it is trained again without it."""

    type = "adapter.version.tainted"

    feedback_ids: list[UUID]
    """What was withdrawn."""


class AdapterSwitched(AdapterEvent):
    """The adapter was put off, or on again."""

    type = "adapter.switched"

    active: bool
    """Whether it takes part in answers."""
    by: By = "user"
    """Who switched it."""


class AdapterRetired(AdapterEvent):
    """The adapter is never served again."""

    type = "adapter.retired"

    by: By
    """Who retired it."""
    reason: Text | None = None
    """Why."""
