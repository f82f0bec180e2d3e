"""A routing policy whose expressions are read and checked: what the router runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from liminal.steering.errors import ArtifactInvalid, Problem
from liminal.steering.expressions import Expression, ExpressionError, Type, Vocabulary, check, parse
from liminal.steering.expressions.syntax import Call, Name, walk
from liminal.steering.routing_policy import (
    Action,
    Activate,
    Deactivate,
    Guards,
    RoutingPolicy,
    Rule,
    Scale,
    SetGate,
)
from liminal.steering.vocabulary import ADAPTER, ROUTING

Mixing: TypeAlias = "Activate | Deactivate | Scale | SetGate"
NUMBERS: Mapping[str, str] = {"activate": "gate", "scale": "by", "set_gate": "gate"}
"""The field of each action that is worth a number."""


@dataclass(frozen=True, slots=True)
class Step:
    """An action with its expressions; those it has not are None.

    Attributes:
        which: a boolean about one adapter.
        value: a number about one adapter, the gate or factor.
        best: a number about one adapter, for the order.
    """

    action: Action
    which: Expression | None = None
    value: Expression | None = None
    best: Expression | None = None


@dataclass(frozen=True, slots=True)
class RuleProgram:
    """One rule."""

    rule: Rule
    when: Expression
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A whole policy.

    Attributes:
        needs_clusters: it asks for clusters beside the skills of adapters, so their centroids are read too.
    """

    rules: tuple[RuleProgram, ...]
    flags: Mapping[str, float]
    guards: Guards
    needs_clusters: bool


def compile_policy(policy: RoutingPolicy, what: str = "The policy") -> Program:
    """Read and check every expression. Raises ArtifactInvalid with every problem, its path and place."""
    reader = _Reader(
        ROUTING.with_choices("flag", dict.fromkeys(policy.flags, Type.BOOLEAN)),
    )
    rules = tuple(reader.rule(rule, f"/rules/{index}") for index, rule in enumerate(policy.rules))
    if reader.problems:
        first = reader.problems[0]
        raise ArtifactInvalid(
            f"{what} does not fit: {first['path']}: {first['message']}", problems=reader.problems
        )
    return Program(rules, policy.flags, policy.guards, reader.needs_clusters)


class _Reader:
    """Reads expressions; keeps what is wrong with them."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._turn = vocabulary
        self._adapter = vocabulary.with_names(ADAPTER)
        self.problems: list[Problem] = []
        self.needs_clusters = False

    def rule(self, rule: Rule, path: str) -> RuleProgram:
        when = self._read(rule.when, self._turn, Type.BOOLEAN, f"{path}/when")
        steps = tuple(self._step(action, f"{path}/then/{index}") for index, action in enumerate(rule.then))
        return RuleProgram(rule, when, steps)

    def _step(self, action: Action, path: str) -> Step:
        if not isinstance(action, Activate | Deactivate | Scale | SetGate):
            return Step(action)
        which = self._read(action.adapters, self._adapter, Type.BOOLEAN, f"{path}/adapters")
        value = best = None
        if field := NUMBERS.get(action.action):
            value = self._read(getattr(action, field), self._adapter, Type.NUMBER, f"{path}/{field}")
        if isinstance(action, Activate) and action.best is not None:
            best = self._read(action.best, self._adapter, Type.NUMBER, f"{path}/best")
        return Step(action, which, value, best)

    def _read(self, text: str, vocabulary: Vocabulary, type_: Type, path: str) -> Expression:
        try:
            tree = parse(text)
            check(tree, vocabulary, type_)
        except ExpressionError as error:
            self.problems.append(
                {
                    "path": path,
                    "message": error.message,
                    "line": error.details["line"],
                    "column": error.details["column"],
                }
            )
            return _NOTHING
        self.needs_clusters = self.needs_clusters or any(
            isinstance(node, Call)
            and (node.name == "cluster" or (node.name == "similarity" and not _own_skill(node)))
            for node in walk(tree)
        )
        return tree


_NOTHING = parse("false")


def _own_skill(call: Call) -> bool:
    argument = call.arguments[0]
    return isinstance(argument, Name) and argument.name == "skill"
