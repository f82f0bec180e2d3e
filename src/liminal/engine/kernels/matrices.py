"""Products of rows with matrices of blocks: one call for all matrices that multiply the same rows."""

from __future__ import annotations

from collections.abc import Sequence

from liminal.engine.blocks import ROWS, Form
from liminal.engine.kernels.llvm import F32, I8, Call, Code, Phase, Value, number
from liminal.engine.kernels.tiles import Bytes8, Dots, bytes_room, multiply, quantise_row
from liminal.engine.kernels.vectors import row


def block_products(forms: Sequence[Form], dots: Dots) -> list[Phase]:
    """(rows f32 [R, in], a packed matrix of each form) → f32 [R, 16 · sixteens] of each, and scratch.

    The scratch has R · (in + in / 4) bytes.
    """
    count = len(forms)

    def rows_of(code: Code, call: Call) -> tuple[Bytes8, Value]:
        rows = call.given(0)
        room, _ = bytes_room(code, call.result(count).data, rows.size(0), rows.size(1))
        return room, rows.size(0)

    def narrow(code: Code, call: Call, some: tuple[Value, Value]) -> None:
        rows, (room, _) = call.given(0), rows_of(code, call)

        def one(index: Value) -> None:
            at = code.add(some[0], index)
            quantise_row(code, row(code, rows, at, rows.size(1), F32), room.row(code, at))

        code.loop(some[1], 1, one)

    def product(matrix: int) -> Phase:
        def units(_: Code, call: Call) -> Value:
            return call.given(1 + matrix).size(0)

        def body(code: Code, call: Call, some: tuple[Value, Value]) -> None:
            weights, result = call.given(1 + matrix), call.result(matrix)
            each = code.mul(weights.size(1), weights.size(2))
            at = code.at(weights.data, code.mul(some[0], each), I8)
            out = code.at(result.data, code.mul(some[0], number(ROWS)), F32)
            multiply(code, dots, forms[matrix], at, some[1], rows_of(code, call), (out, result.size(1)))

        return Phase(units, body)

    return [Phase(lambda _, call: call.given(0).size(0), narrow), *map(product, range(count))]
