"""Bodies and replies of artifacts, patches and what-if."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue, model_validator

from liminal.api.schema import Body, Page, View
from liminal.log.events import RuleFired

ArtifactId = Annotated[str, Field(pattern="^[a-z][a-z0-9._-]{0,99}$")]
Operation = dict[str, JsonValue]
_OPERATIONS: list[JsonValue] = [{"op": "replace", "path": "/guards/adapters", "value": 3}]


class Artifact(View):
    """An artifact as it stands; ``inherited`` when it is the installation's, for want of one's own."""

    id: str
    kind: str
    name: str
    description: str | None
    version: int
    body: Any
    archived: bool
    inherited: bool
    created_at: datetime
    updated_at: datetime


class ArtifactPage(Page[Artifact]):
    """The artifacts that steer a tenant."""


class NewArtifact(Body):
    """An artifact of the tenant's own; without a body it begins as what steers the tenant now."""

    model_config = Body.model_config | {"json_schema_extra": {"examples": [{"id": "policy.routing.shadow"}]}}

    id: ArtifactId
    body: JsonValue = None


class ArtifactEdit(Body):
    """A new version: a whole body, or operations (RFC 6902). ``version`` is the one it was made from."""

    model_config = Body.model_config | {
        "json_schema_extra": {"examples": [{"version": 1, "operations": _OPERATIONS}]}
    }

    version: int = Field(ge=1, le=2**31 - 2)
    body: JsonValue = None
    operations: list[Operation] | None = Field(default=None, max_length=200)

    @model_validator(mode="after")
    def _one_of_both(self) -> ArtifactEdit:
        if (self.body is None) == (self.operations is None):
            raise ValueError("give either a body or operations")
        return self


class ArtifactVersion(View):
    """How a version came to be; ``operations`` turn the one before into it."""

    version: int
    origin: Literal["created", "patched", "rolled_back"]
    body: Any
    operations: list[dict[str, Any]]
    patch_id: UUID | None
    to_version: int | None
    by: str | None
    actor: str
    reason: str | None
    created_at: datetime


class ArtifactVersionPage(Page[ArtifactVersion]):
    """Every version, newest first."""


class RollBack(Body):
    """The version whose body comes back, as a new version."""

    model_config = Body.model_config | {"json_schema_extra": {"examples": [{"to_version": 1}]}}

    to_version: int = Field(ge=1, le=2**31 - 2)
    reason: str | None = Field(default=None, max_length=500)


class NewPatch(Body):
    """A change to propose (RFC 6902)."""

    model_config = Body.model_config | {
        "json_schema_extra": {"examples": [{"operations": _OPERATIONS, "rationale": "Three are enough."}]}
    }

    operations: list[Operation] = Field(min_length=1, max_length=200)
    rationale: str | None = Field(default=None, max_length=2000)


class Backtest(View):
    """Past turns routed again with the patch applied: how many, and how many would have gone otherwise."""

    turns: int
    changed: int


class Patch(View):
    """A patch and what became of it; ``backtest`` is null until it was tried on past turns."""

    id: UUID
    artifact_id: str
    base_version: int
    operations: list[dict[str, Any]]
    rationale: str | None
    source: str
    actor: str
    state: Literal["proposed", "approved", "rejected", "applied"]
    backtest: Backtest | None
    decided_by: str | None
    reason: str | None
    decided_at: datetime | None
    applied_version: int | None
    proposed_at: datetime


class PatchPage(Page[Patch]):
    """Patches, newest first."""


class Refusal(Body):
    """Why; the words go to the log."""

    model_config = Body.model_config | {"json_schema_extra": {"examples": [{"reason": "Too many adapters."}]}}

    reason: str | None = Field(default=None, max_length=500)


class PolicyBody(Body):
    """A routing policy that may have mistakes."""

    model_config = Body.model_config | {"json_schema_extra": {"examples": [{"body": {"rules": []}}]}}

    body: JsonValue


class PolicyProblem(View):
    """One mistake: a JSON pointer, a sentence, and within an expression its line and column."""

    path: str
    message: str
    line: int | None = None
    column: int | None = None


class PolicyCheck(View):
    """Every mistake of a policy; none when it may be used."""

    problems: list[PolicyProblem]


class VocabularyEntry(View):
    """A name or function of the expression language."""

    name: str
    signature: str
    help: str


class Vocabulary(View):
    """What expressions of a routing policy may name; ``adapter_names`` only where one adapter is meant."""

    names: list[VocabularyEntry]
    adapter_names: list[VocabularyEntry]
    functions: list[VocabularyEntry]
    schema_: dict[str, Any] = Field(serialization_alias="schema", description="JSON Schema of a policy")


class WhatIfQuestion(Body):
    """Which policy to try (a body, or a version of ``policy.routing``), and on which past turns."""

    model_config = Body.model_config | {"json_schema_extra": {"examples": [{"version": 1, "limit": 200}]}}

    body: JsonValue = None
    version: int | None = Field(default=None, ge=1, le=2**31 - 2)
    since: datetime | None = None
    until: datetime | None = None
    limit: int = Field(default=500, ge=1, le=5000)

    @model_validator(mode="after")
    def _one_of_both(self) -> WhatIfQuestion:
        if (self.body is None) == (self.version is None):
            raise ValueError("give either a body or a version")
        return self


class DecisionView(View):
    """One decision, without anybody's words: adapters with gates, and where instructions come from."""

    adapters: dict[str, float]
    backend: str | None
    instructions: list[str]
    contexts: list[str]
    rules: list[str]


class TurnDifference(View):
    """A turn that would have gone otherwise."""

    turn_id: UUID
    message_id: UUID | None
    routed_at: datetime
    policy: str
    differs: list[str]
    rules: list[str]
    before: DecisionView
    after: DecisionView


class WhatIf(View):
    """Past turns, routed again by another policy; ``shown`` has the newest that differ."""

    turns: int
    skipped: int = Field(description="turns whose facts were not recorded, or were erased")
    changed: int
    measured_anew: int = Field(description="turns measured against centroids as they are now")
    by_rule: dict[str, int]
    by_kind: dict[str, int]
    shown: list[TurnDifference]


class ShadowQuery(Body):
    """The newest so many turns."""

    limit: int = Field(default=100, ge=1, le=1000)


class InstructionUsed(View):
    """An instruction; ``origin`` is feedback:<id>, preference:<id>, setting:<name>, or null (the policy)."""

    text: str
    origin: str | None


class AdapterMixed(View):
    """An adapter's share in an answer."""

    adapter_id: UUID
    name: str
    kind: str | None
    version: int
    gate: float
    skill_id: UUID | None
    label: str | None = Field(description="the skill's name")
    similarity: float | None = Field(description="of the question to the skill, where it was measured")


class RoutingView(View):
    """Why an answer is as it is: what was mixed, which rule did what, which instructions were added."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    turn_id: UUID
    model: str
    backend: str
    policy_id: str | None
    policy_version: int | None
    without_learning: bool
    adapters: list[AdapterMixed]
    rules: list[RuleFired]
    instructions: list[InstructionUsed]
    context_ids: list[UUID]
    seed: int
    routed_at: datetime
