"""``policy.routing`` as it is written: rules, each a condition and what it does, and guard-rails."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from liminal.steering.expressions import MAX_CHARACTERS

Text = Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS)]
"""An expression."""
Slug = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,63}$")]
WishSource = Literal["rules", "preferences", "custom_instructions"]
ALL = "true"


class Piece(BaseModel):
    """A part of a policy; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Activate(Piece):
    """Put adapters into the mixture; one that is in it gets the new gate."""

    action: Literal["activate"]
    adapters: Text
    """Which of the adapters that may serve: a condition on each."""
    gate: Text = "1"
    """Its weight: a number."""
    best: Text | None = None
    """Of several, those with the largest value of this number come first."""
    most: Annotated[int, Field(ge=1, le=16)] | None = None
    """How many at most."""


class Deactivate(Piece):
    """Take adapters out of the mixture."""

    action: Literal["deactivate"]
    adapters: Text = ALL
    """Which of those in it: a condition on each."""


class Scale(Piece):
    """Multiply gates."""

    action: Literal["scale"]
    adapters: Text = ALL
    """Which of those in the mixture."""
    by: Text
    """The factor: a number."""


class SetGate(Piece):
    """Set gates of what is in the mixture."""

    action: Literal["set_gate"]
    adapters: Text = ALL
    """Which of those in the mixture."""
    gate: Text
    """The new weight: a number."""


class ChooseBackend(Piece):
    """Decode with another backend."""

    action: Literal["choose_backend"]
    backend: Literal["jax", "openai"]
    """The engine here, or the endpoint of the settings."""


class AddInstruction(Piece):
    """Add to the instructions that the model reads: a text, or what the person asked for."""

    action: Literal["add_instruction"]
    text: Annotated[str, Field(min_length=1, max_length=2000)] | None = None
    """The words."""
    source: Annotated[WishSource | None, Field(validate_default=True)] = None
    """``rules``: the person's always and never; ``preferences``: what was found and the person confirmed."""

    @field_validator("source")
    @classmethod
    def _one_of_both(cls, source: str | None, info: ValidationInfo) -> str | None:
        if (source is None) == (info.data.get("text") is None):
            raise ValueError("give either a text or a source")
        return source


class RequireContext(Piece):
    """Answer from a knowledge context."""

    action: Literal["require_context"]
    context_id: UUID
    """The context."""


Action = Annotated[
    Activate | Deactivate | Scale | SetGate | ChooseBackend | AddInstruction | RequireContext,
    Field(discriminator="action"),
]


class Rule(Piece):
    """What to do, and when."""

    name: Slug
    """What the trace calls it."""
    when: Text = ALL
    """A condition."""
    then: Annotated[list[Action], Field(min_length=1, max_length=16)]
    """What to do, in order."""
    last: bool = False
    """No further rule is looked at once this one fired."""


class Guards(Piece):
    """What no rule can exceed."""

    adapters: Annotated[int, Field(ge=0, le=16)] = 4
    """Adapters in one mixture: those with the largest gates stay."""
    sum: Annotated[float, Field(ge=0, le=8)] = 2.5
    """Sum of the gates: all are scaled down to it."""
    gate: Annotated[float, Field(ge=0, le=4)] = 1.5
    """One gate."""
    instructions: Annotated[int, Field(ge=0, le=64)] = 16
    """Instructions: the newest stay."""
    characters: Annotated[int, Field(ge=0, le=32_000)] = 4000
    """Characters of all instructions together."""


class RoutingPolicy(Piece):
    """A whole policy."""

    flags: Annotated[dict[Slug, Annotated[float, Field(ge=0, le=1)]], Field(max_length=64)] = {}
    """Names for ``flag``, each with the share of accounts for which it is true."""
    guards: Guards = Guards()
    rules: Annotated[list[Rule], Field(max_length=100)] = []
    """In the order in which they are looked at."""

    @field_validator("rules")
    @classmethod
    def _names_differ(cls, rules: list[Rule]) -> list[Rule]:
        names = [rule.name for rule in rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two rules are called {twice[0]}")
        return rules
