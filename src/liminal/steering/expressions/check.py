"""The type of a tree, or what does not fit in it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from liminal.steering.expressions.syntax import (
    Binary,
    Call,
    Expression,
    ExpressionError,
    ListLiteral,
    Literal,
    Name,
    Place,
    Unary,
)
from liminal.steering.expressions.types import LIST_OF, Type
from liminal.steering.expressions.vocabulary import Function, Vocabulary

OPERANDS = {
    "or": Type.BOOLEAN, "and": Type.BOOLEAN, "not": Type.BOOLEAN,
    "<": Type.NUMBER, "<=": Type.NUMBER, ">": Type.NUMBER, ">=": Type.NUMBER,
    "+": Type.NUMBER, "-": Type.NUMBER, "*": Type.NUMBER, "/": Type.NUMBER, "%": Type.NUMBER,
}  # fmt: skip
"""What both operands must be."""
ARITHMETIC = frozenset("+-*/%")


def check(node: Expression, vocabulary: Vocabulary, expected: Type | None = None) -> Type:
    """The type of a tree. Raises ExpressionError for an unknown name or a type that is not the expected."""
    found = _type(node, vocabulary)
    if expected is not None:
        _expect(node, found, expected, "here")
    return found


def _type(node: Expression, known: Vocabulary) -> Type:
    match node:
        case Literal(bool()):
            return Type.BOOLEAN
        case Literal(str()):
            return Type.TEXT
        case Literal():
            return Type.NUMBER
        case Name(name):
            if name not in known.names:
                hint = f"; it is a function: {name}(…)" if name in known.functions else None
                raise _unknown("name", name, node.place, known.names, hint)
            return known.names[name]
        case ListLiteral():
            return _list(node, known)
        case Call():
            return _call(node, known)
        case Unary(operator, operand):
            _expect(operand, _type(operand, known), OPERANDS[operator], f"after {operator}")
            return OPERANDS[operator]
        case Binary():
            return _binary(node, known)


def _list(node: ListLiteral, known: Vocabulary) -> Type:
    first = _type(node.items[0], known)
    if first not in LIST_OF:
        raise ExpressionError(node.items[0].place, "a list holds numbers, booleans or texts, not lists")
    for item in node.items[1:]:
        _expect(item, _type(item, known), first, "as the first of the list")
    return LIST_OF[first]


def _call(node: Call, known: Vocabulary) -> Type:
    function = known.functions.get(node.name)
    if function is None:
        hint = "; it is a name, not a function" if node.name in known.names else None
        raise _unknown("function", node.name, node.place, known.functions, hint)
    wanted, given = len(function.parameters), len(node.arguments)
    if given != wanted:
        raise ExpressionError(
            node.place, f"{node.name} takes {wanted or 'no'} argument{'s' * (wanted != 1)}, not {given}"
        )
    for argument, parameter in zip(node.arguments, function.parameters, strict=True):
        _expect(argument, _type(argument, known), parameter, f"by {node.name}")
    if function.choices is None:
        return function.result
    return _choice(node, function)


def _choice(node: Call, function: Function) -> Type:
    argument = node.arguments[0]
    if not isinstance(argument, Literal):
        raise ExpressionError(argument.place, f"{node.name} takes a text in quotes, not one that is computed")
    choices = function.choices or {}
    if argument.value not in choices:
        raise _unknown(node.name, str(argument.value), argument.place, choices)
    return choices[str(argument.value)]


def _binary(node: Binary, known: Vocabulary) -> Type:
    left, right = _type(node.left, known), _type(node.right, known)
    if node.operator in OPERANDS:
        wanted = OPERANDS[node.operator]
        _expect(node.left, left, wanted, f"before {node.operator}")
        _expect(node.right, right, wanted, f"after {node.operator}")
        return wanted if node.operator in ARITHMETIC else Type.BOOLEAN
    if node.operator in ("==", "!="):
        if left not in LIST_OF:
            raise ExpressionError(node.left.place, f"{left.value} can't be compared")
        _expect(node.right, right, left, f"after {node.operator}")
        return Type.BOOLEAN
    if (left, right) == (Type.TEXT, Type.TEXT):
        return Type.BOOLEAN
    if left not in LIST_OF:
        raise ExpressionError(node.left.place, f"{left.value} can't be in anything")
    _expect(node.right, right, LIST_OF[left], f"after {node.operator}")
    return Type.BOOLEAN


def _expect(node: Expression, found: Type, expected: Type, where: str) -> None:
    if found is not expected:
        raise ExpressionError(node.place, f"expected {expected.value} {where}, found {found.value}")


def _unknown(
    what: str, name: str, place: Place, choices: Iterable[str], hint: str | None = None
) -> ExpressionError:
    names = sorted(choices)
    if hint is None:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names) or 'none'}"
    return ExpressionError(place, f"there is no {what} {name!r}{hint}")
