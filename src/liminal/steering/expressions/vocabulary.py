"""What an expression may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from liminal.steering.expressions.types import Type


@dataclass(frozen=True, slots=True)
class Function:
    """A function that expressions may call.

    Attributes:
        parameters: their types, in order.
        result: the type of what it gives; of a function with ``choices``, they decide.
        help: what it gives, in a sentence.
        choices: the texts that its one argument may be, each with the result's type; None for any value.
    """

    parameters: tuple[Type, ...]
    result: Type
    help: str
    choices: Mapping[str, Type] | None = None


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names of facts with their types, and functions."""

    names: Mapping[str, Type] = field(default_factory=dict[str, Type])
    functions: Mapping[str, Function] = field(default_factory=dict[str, Function])

    def with_names(self, names: Mapping[str, Type]) -> Vocabulary:
        """The same with more names."""
        return Vocabulary({**self.names, **names}, self.functions)

    def with_choices(self, function: str, choices: Mapping[str, Type]) -> Vocabulary:
        """The same with other choices of a function's argument."""
        old = self.functions[function]
        changed = Function(old.parameters, old.result, old.help, choices)
        return Vocabulary(self.names, {**self.functions, function: changed})
