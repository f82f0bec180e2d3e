"""Replies about what was learned: adapters, gate reports, training runs, lineage."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from liminal.api.schema import Body, Page, View
from liminal.learning.adapters.library import AdapterRow, RunRow, VersionRow

Scope = Literal["user", "tenant"]


class GateFigure(View):
    """One figure of a gate.

    `not_better` (held-out NLL), `general_nll` and `told_nll` (NLL of general answers), `regressions`
    (corrections kept).
    """

    name: str
    candidate: float
    baseline: float
    low: float | None = Field(description="lower end of the interval of the gain, where there is one")
    high: float | None
    passed: bool


class AdapterVersion(View):
    """One version and how its gate went."""

    version: int
    state: Literal["trained", "evaluated", "promoted", "rejected", "rolled_back"]
    serving: bool
    tainted: bool = Field(description="feedback that shaped it was taken back")
    passed: bool | None
    figures: list[GateFigure]
    examples: int | None = Field(description="lessons that the comparison rests on")
    regressions: int | None
    reasons: list[str] = Field(description="why it was rejected: names of figures, or `turned_down`")
    reason: str | None
    decided_by: str | None = Field(description="user, admin, rule or system")
    decided_at: datetime | None
    trained_at: datetime
    base_model: str | None
    rank: int | None
    parent_version: int | None
    run_id: UUID | None
    content_hash: str
    feedback: int = Field(description="pieces of feedback that shaped it")
    has_report: bool


class Adapter(View):
    """Something learned: a person's habits, a skill, or a folder that was imported."""

    id: UUID
    name: str
    kind: Literal["persona", "skill", "imported"]
    scope: Scope
    skill_id: UUID | None
    base_model: str | None
    serving_version: int | None = Field(description="null while the base model alone answers")
    serving_since: datetime | None
    active: bool
    retired: bool
    created_at: datetime
    mine: bool = Field(
        description="it changes the caller's answers alone, who may switch it and roll it back"
    )
    versions: list[AdapterVersion] = Field(description="the newest first")


class AdapterList(Page[Adapter]):
    """Adapters by kind and name."""


class AdapterPatch(Body):
    """Put an adapter off, or on again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"active": False}]})

    active: bool


class RollbackBody(Body):
    """Which version serves again; without one, the last that served before."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"to_version": 1}, {}]})

    to_version: int | None = Field(default=None, ge=1, le=2**31 - 2)
    reason: str | None = Field(default=None, max_length=500)


class Decision(Body):
    """Nothing needs to be said."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


class ReportExample(View):
    """One question, what is said to it now and would be, and what was wanted.

    `lesson`: the owner's own; `after` comes from an adapter of the run that did not learn it, and the words
    are null for everybody but the owner. `general`: a stored question, answered by the candidate itself.
    """

    kind: Literal["lesson", "general"]
    prompt: list[dict[str, Any]] | None
    before: str | None
    after: str | None
    wanted: str | None
    feedback_id: UUID | None = None
    nll_before: float | None = Field(default=None, description="nats a token of what was wanted")
    nll_after: float | None = None
    kept_before: bool | None = Field(default=None, description="wanted was likelier than what was said")
    kept_after: bool | None = None
    fresh: bool | None = Field(default=None, description="the serving version had not learned it either")


class GateReport(View):
    """One version with examples side by side."""

    adapter: Adapter
    version: AdapterVersion
    examples: list[ReportExample]


class TrainingRun(View):
    """A training run as it stands."""

    id: UUID
    adapter_id: UUID
    adapter: str | None
    version: int
    scope: Scope
    base_model: str
    method: str
    reason: str
    state: Literal["queued", "running", "retrying", "done", "failed", "cancelled"]
    decision: str | None = Field(description="state of the version that it made")
    attempt: int
    examples: int
    held_out: int
    methods: dict[str, int] = Field(description="examples by loss: sft, dpo, kto")
    refused: dict[str, int] = Field(description="lessons left out, by rule")
    step: int | None
    steps: int | None
    metrics: dict[str, float] = Field(description="loss, tokens_per_second, seconds_left")
    seconds: float | None
    error_code: str | None
    error_message: str | None
    ended_by: str | None
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class TrainingRunPage(Page[TrainingRun]):
    """Open runs first, then the newest."""


class LearningState(View):
    """Whether the tenant learns now."""

    paused: bool


class LineageFeedback(View):
    """A piece of feedback; its words are null for everybody but who gave it."""

    feedback_id: UUID
    kind: str | None
    value: int | None
    text: str | None
    message_id: UUID | None
    conversation_id: UUID | None
    withdrawn: bool
    mine: bool
    created_at: datetime | None


class LineageAdapter(View):
    """An adapter's share in an answer, and all that made it."""

    adapter_id: UUID
    name: str | None
    kind: str | None
    skill_id: UUID | None
    version: int
    gate: float
    content_hash: str
    state: str | None
    run_id: UUID | None
    dataset_hash: str | None
    base_model: str | None
    trained_at: datetime | None
    passed: bool | None
    figures: list[GateFigure]
    feedback: list[LineageFeedback]


class MessageLineage(View):
    """Everything that made one answer."""

    message_id: UUID
    conversation_id: UUID
    turn_id: UUID
    position: str = Field(description="partition:offset on the log", examples=["2:1841"])
    model: str | None
    policy_id: str | None
    policy_version: int | None
    rules: list[dict[str, Any]]
    seed: int | None
    adapters: list[LineageAdapter]


class Influence(View):
    """A version that a piece of feedback shaped, and how many answers it made."""

    adapter_id: UUID
    name: str | None
    version: int
    state: str
    serving: bool
    trained_at: datetime
    answers: int


class FeedbackInfluence(View):
    """All that a piece of feedback influenced."""

    feedback_id: UUID
    versions: list[Influence]


def version_view(row: VersionRow) -> AdapterVersion:
    """A version as a reply."""
    same = {name: getattr(row, name) for name in VersionRow.__dataclass_fields__ if name != "report_hash"}
    return AdapterVersion.model_validate({**same, "has_report": row.report_hash is not None})


def adapter_view(row: AdapterRow, caller: UUID) -> Adapter:
    """An adapter as a reply to this caller."""
    hidden = ("tenant_id", "subject", "versions")
    same = {name: getattr(row, name) for name in AdapterRow.__dataclass_fields__ if name not in hidden}
    versions = [version_view(version) for version in row.versions]
    return Adapter.model_validate({**same, "mine": row.owner_id == caller, "versions": versions})


def run_view(row: RunRow) -> TrainingRun:
    """A run as a reply."""
    hidden = ("tenant_id", "subject")
    return TrainingRun.model_validate(
        {name: getattr(row, name) for name in RunRow.__dataclass_fields__ if name not in hidden}
    )
