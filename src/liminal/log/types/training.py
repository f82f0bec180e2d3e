"""Training runs: what they learn from, how far they are, how they ended."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from liminal.log.event import Event, Part
from liminal.log.types.common import BlobRef, By, Scope, Text, Version


class Dataset(Part):
    """Training data as a blob, with the list of events it came from inside."""

    blob: BlobRef
    """The data."""
    examples: Annotated[int, Field(ge=0)]
    """Examples to train on."""
    held_out: Annotated[int, Field(ge=0)]
    """Examples that an adapter of the run is judged by without having learned them."""
    replay: Annotated[int, Field(ge=0)] = 0
    """Examples of the general set mixed in."""
    methods: dict[str, int] = {}
    """Examples by loss: sft, dpo, kto."""
    refused: dict[str, int] = {}
    """Lessons left out, by rule: garbage, injection, duplicate, contradicted, superseded."""


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
    hyperparameters: dict[str, float | int | str | bool | list[str] | list[float]]
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
