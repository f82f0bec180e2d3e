"""The value of a checked tree. It always ends and never fails: arithmetic without a finite result gives 0."""

from __future__ import annotations

import math
import operator as op
from collections.abc import Callable, Mapping
from typing import Any

from liminal.steering.expressions.syntax import Binary, Call, Expression, ListLiteral, Literal, Name, Unary
from liminal.steering.expressions.types import Value


def _divide(left: float, right: float) -> float:
    return left / right if right else 0.0


def _remainder(left: float, right: float) -> float:
    return left % right if right else 0.0


def _not_in(left: Any, right: Any) -> bool:
    return left not in right


def _in(left: Any, right: Any) -> bool:
    return left in right


ARITHMETIC: Mapping[str, Callable[[Any, Any], float]] = {
    "+": op.add, "-": op.sub, "*": op.mul, "/": _divide, "%": _remainder,
}  # fmt: skip
COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": op.eq, "!=": op.ne, "<": op.lt, "<=": op.le, ">": op.gt, ">=": op.ge, "in": _in, "not in": _not_in,
}  # fmt: skip


def evaluate(
    node: Expression, names: Mapping[str, Value], functions: Mapping[str, Callable[..., Value]]
) -> Value:
    """The value of a tree that ``check`` passed, of the type that it said.

    ``names`` and ``functions`` hold what the vocabulary promised. Only what is needed is looked at: the right
    side of ``and`` and ``or`` is left alone where the left side decides.
    """
    match node:
        case Literal(value):
            return value
        case Name(name):
            return names[name]
        case Call(name, arguments):
            return functions[name](*(evaluate(argument, names, functions) for argument in arguments))
        case ListLiteral(items):
            values: tuple[Any, ...] = tuple(evaluate(item, names, functions) for item in items)
            return values
        case Unary("not", operand):
            return not evaluate(operand, names, functions)
        case Unary(_, operand):
            number: Any = evaluate(operand, names, functions)
            return 0.0 - number
        case Binary("and", left, right):
            return evaluate(left, names, functions) and evaluate(right, names, functions)
        case Binary("or", left, right):
            return evaluate(left, names, functions) or evaluate(right, names, functions)
        case Binary(operator, left, right):
            values = evaluate(left, names, functions), evaluate(right, names, functions)
            if operator in COMPARISONS:
                return COMPARISONS[operator](*values)
            result = ARITHMETIC[operator](*values)
            return result if math.isfinite(result) else 0.0
