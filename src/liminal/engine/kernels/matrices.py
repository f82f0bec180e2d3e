"""Products of rows with matrices of blocks: one call for all matrices that multiply the same rows."""

from __future__ import annotations

from collections.abc import Sequence

from liminal.engine.blocks import ROWS, Form
from liminal.engine.kernels.llvm import F32, I8, Call, Code, Phase, Value, number
from liminal.engine.kernels.tiles import Bytes8, Dots, bytes_room, multiply, quantise_row
from liminal.engine.kernels.vectors import row

SHARE = 2
"""Sixteens of a matrix that one part multiplies."""


def block_products(forms: Sequence[Form], dots: Dots) -> list[Phase]:
    """(rows f32 [R, in], a packed matrix of each form) → f32 [R, 16 · sixteens] of each, and scratch.

    The scratch has R · (in + in / 4) bytes.
    """
    count = len(forms)

    def rows_of(code: Code, call: Call) -> tuple[Bytes8, Value]:
        rows = call.given(0)
        room, _ = bytes_room(code, call.result(count).data, rows.size(0), rows.size(1))
        return room, rows.size(0)

    def narrow(code: Code, call: Call, part: Value) -> None:
        rows, (room, _) = call.given(0), rows_of(code, call)
        quantise_row(code, row(code, rows, part, rows.size(1), F32), room.row(code, part))

    def one(matrix: int) -> Phase:
        def parts(code: Code, call: Call) -> Value:
            return shares(code, call.given(1 + matrix).size(0))

        def body(code: Code, call: Call, part: Value) -> None:
            weights, result = call.given(1 + matrix), call.result(matrix)
            first, some = span(code, weights.size(0), part)
            line = code.mul(weights.size(1), weights.size(2))
            at = code.at(weights.data, code.mul(first, line), I8)
            out = code.at(result.data, code.mul(first, number(ROWS)), F32)
            multiply(code, dots, forms[matrix], at, some, rows_of(code, call), (out, result.size(1)))

        return Phase(parts, body)

    return [Phase(lambda code, call: call.given(0).size(0), narrow), *map(one, range(count))]


def shares(code: Code, groups: Value, each: int = SHARE) -> Value:
    """How many parts ``groups`` sixteens make."""
    return code.sdiv(code.add(groups, number(each - 1)), number(each))


def span(code: Code, groups: Value, part: Value, each: int = SHARE) -> tuple[Value, Value]:
    """(first, how many) sixteens of a part."""
    first = code.mul(part, number(each))
    return first, code.least(number(each), code.sub(groups, first))
