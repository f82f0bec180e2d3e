"""The artifacts that steer liminal: which there are by default, and what fits into each kind."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal, TypeVar, cast

from pydantic import BaseModel, ValidationError

from liminal.steering.errors import ArtifactInvalid, NoSuchKind, Problem
from liminal.steering.learning_policy import LearningPolicy
from liminal.steering.program import compile_policy
from liminal.steering.routing_policy import RoutingPolicy

Kind = Literal["policy.learning", "policy.routing"]
Model = TypeVar("Model", bound=BaseModel)

MODELS: Mapping[str, type[BaseModel]] = {"policy.learning": LearningPolicy, "policy.routing": RoutingPolicy}
"""What a body of each kind must be."""

CHECKS: Mapping[str, Callable[[Any], object]] = {"policy.routing": compile_policy}
"""What a body that fits its model must pass besides. Raises ArtifactInvalid."""


@dataclass(frozen=True)
class Default:
    """An artifact that every installation has from its first day."""

    id: str
    kind: Kind
    name: str
    description: str

    @property
    def body(self) -> dict[str, Any]:
        """The first version: a file in defaults/, or what the model says where there is none."""
        file = files("liminal.steering").joinpath("defaults", f"{self.id}.toml")
        written = tomllib.loads(file.read_text()) if file.is_file() else {}
        return MODELS[self.kind].model_validate(written).model_dump(mode="json", exclude_none=True)


LEARNING = "policy.learning"
ROUTING = "policy.routing"
SHADOW = "policy.routing.shadow"
"""Where there is one, it is asked about every turn beside the policy in force, and decides nothing."""

DEFAULTS: Mapping[str, Default] = {
    default.id: default
    for default in (
        Default(
            ROUTING,
            "policy.routing",
            "Routing policy",
            "Which adapters, instructions and backend make an answer.",
        ),
        Default(
            LEARNING,
            "policy.learning",
            "Learning policy",
            "Thresholds on the way from feedback to an adapter that serves.",
        ),
    )
}

IDS: Mapping[str, Kind] = {
    **{default.id: default.kind for default in DEFAULTS.values()},
    SHADOW: "policy.routing",
}
"""Every artifact that something reads, with its kind; each tenant may have its own."""

BACKTESTED = frozenset({"policy.routing"})
"""Kinds whose patches are tried on past turns before they are approved."""


def check_body(kind: str, body: Any) -> BaseModel:
    """The body as the model of its kind, every check passed. Raises NoSuchKind, ArtifactInvalid."""
    if kind not in MODELS:
        raise NoSuchKind(f"There is no kind {kind!r}; there are {', '.join(sorted(MODELS))}.", kind=kind)
    parsed = parse_body(MODELS[kind], body, f"The {kind}")
    if kind in CHECKS:
        CHECKS[kind](parsed)
    return parsed


def parse_body(model: type[Model], body: Any, what: str) -> Model:
    """The body as its model. Raises ArtifactInvalid with every problem: its path and what was expected."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        problems: list[Problem] = [
            {"path": _pointer(body, found["loc"]), "message": found["msg"]}
            for found in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        first = problems[0]
        raise ArtifactInvalid(
            f"{what} does not fit: {first['path']}: {first['message']}", problems=problems
        ) from error


def _pointer(body: Any, steps: Sequence[int | str]) -> str:
    """A JSON pointer (RFC 6901) of pydantic's path, which also names the members of unions."""
    pointer = ""
    here: Any = body
    for index, step in enumerate(steps):
        inside = (isinstance(here, Mapping) and step in here) or (
            isinstance(here, list) and isinstance(step, int) and step < len(here)
        )
        if inside:
            here = cast(Any, here)[step]
        elif index < len(steps) - 1:
            continue
        pointer += f"/{step}"
    return pointer or "/"
