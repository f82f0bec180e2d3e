"""The tree of an expression, and its text again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from liminal.steering.errors import SteeringError


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in its text; both count from 1."""

    line: int
    column: int


class ExpressionError(SteeringError):
    """An expression that can't be read, or does not fit its types."""

    code: ClassVar[str] = "expression_invalid"

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(
            f"line {place.line}, column {place.column}: {reason}",
            line=place.line,
            column=place.column,
            reason=reason,
        )


@dataclass(frozen=True, slots=True)
class Literal:
    """A number (a finite float, not negative), a boolean or a text."""

    value: float | bool | str
    place: Place = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ListLiteral:
    """One expression or more, all of one type."""

    items: tuple[Expression, ...]
    place: Place = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A fact, by its name."""

    name: str
    place: Place = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the vocabulary with its arguments."""

    name: str
    arguments: tuple[Expression, ...]
    place: Place = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """``not`` or ``-`` before an operand."""

    operator: str
    operand: Expression
    place: Place = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two operands; ``place`` is the operator's."""

    operator: str
    left: Expression
    right: Expression
    place: Place = field(compare=False, repr=False)


Expression: TypeAlias = "Literal | ListLiteral | Name | Call | Unary | Binary"

PRECEDENCE = {
    "or": 1, "and": 2, "not": 3,
    "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4, "in": 4, "not in": 4,
    "+": 5, "-": 5, "*": 6, "/": 6, "%": 6,
}  # fmt: skip
"""How tightly each operator binds. All that share a row lean left; comparisons do not chain."""
COMPARISON, MINUS, ATOM = 4, 7, 8


def children(node: Expression) -> tuple[Expression, ...]:
    """The parts of a node."""
    match node:
        case ListLiteral(items) | Call(_, items):
            return items
        case Unary(_, operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case _:
            return ()


def walk(node: Expression) -> Iterator[Expression]:
    """The node and everything within it."""
    yield node
    for child in children(node):
        yield from walk(child)


def unparse(node: Expression) -> str:
    """The text of a tree, with as few parentheses as can be; ``parse`` gives the same tree again."""
    return _text(node)[0]


def _text(node: Expression) -> tuple[str, int]:
    """The text, and how tightly its outermost operator binds."""
    match node:
        case Literal(bool() as value):
            return ("true" if value else "false"), ATOM
        case Literal(str() as value):
            return quote(value), ATOM
        case Literal(value):
            number = float(value)
            return (str(int(number)) if number < 1e15 and number.is_integer() else repr(number)), ATOM
        case ListLiteral(items):
            return f"[{', '.join(unparse(item) for item in items)}]", ATOM
        case Name(name):
            return name, ATOM
        case Call(name, arguments):
            return f"{name}({', '.join(unparse(argument) for argument in arguments)})", ATOM
        case Unary("-", operand):
            return f"-{_within(operand, MINUS)}", MINUS
        case Unary(operator, operand):
            level = PRECEDENCE[operator]
            return f"{operator} {_within(operand, level)}", level
        case Binary(operator, left, right):
            level = PRECEDENCE[operator]
            least = level + 1 if level == COMPARISON else level
            return f"{_within(left, least)} {operator} {_within(right, level + 1)}", level


def _within(node: Expression, least: int) -> str:
    text, level = _text(node)
    return text if level >= least else f"({text})"


_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t"}


def quote(text: str) -> str:
    """The text as a literal, in single quotes, so that it reads well inside JSON."""
    return "'" + "".join(_ESCAPES.get(c) or (c if c.isprintable() else _code(c)) for c in text) + "'"


def _code(character: str) -> str:
    return f"\\u{{{ord(character):x}}}"
