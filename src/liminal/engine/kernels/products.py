"""A product of bytes, and one in which every row of a batch has pages of its own."""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from liminal.engine.kernels.llvm import F32, I8, I32, I64, Buffer, Call, Code, Value, number
from liminal.engine.kernels.vectors import (
    BYTES,
    FLOATS,
    INTS,
    LANES,
    ZERO,
    every,
    multiply_add,
    row,
    spread,
    total,
    totals,
)
from liminal.engine.params import PAGE

TILE = 4
"""Rows of the weight by rows of the batch whose sums stay in registers."""


def int8_product(code: Code, call: Call, span: tuple[Value, Value]) -> None:
    """Some of the outputs for all rows of the batch.

    VPDPBUSD multiplies bytes without a sign by bytes with one. The weight is moved up by 128 on its way;
    what that adds, 128 times the sum of a row, the caller takes away.
    """
    rows, weight, result = call.given(0), call.given(1), call.result(0)
    first, some = span

    def column(start: Value, width: int) -> None:
        output = code.add(first, start)
        code.tiles(
            rows.size(0),
            (TILE, 2, 1),
            lambda top, height: _tile(code, rows, weight, result, (top, height), (output, width)),
        )

    code.tiles(some, (TILE, 1), column)


def _tile(
    code: Code,
    rows: Buffer,
    weight: Buffer,
    result: Buffer,
    across: tuple[Value, int],
    down: tuple[Value, int],
) -> None:
    """``across``: (first, how many) rows of the batch; ``down``: of the weight."""
    (top, height), (output, width) = across, down
    inner = rows.size(1)
    values = [row(code, rows, code.add(top, number(j)), inner, I8) for j in range(height)]
    weights = [row(code, weight, code.add(output, number(k)), inner, I8) for k in range(width)]
    ahead = code.mul(inner, number(width))
    multiply = code.external("llvm.x86.avx512.vpdpbusd.512", INTS, INTS, BYTES, BYTES)
    up = every(-128, BYTES)

    def body(at: Value, *sums: Value) -> list[Value]:
        raised: list[Value] = []
        for line in weights:
            code.prefetch(code.at(line, code.add(at, ahead), I8))
            raised.append(code.xor(code.fetch(code.at(line, at, I8), BYTES), up))
        signed = [code.fetch(code.at(value, at, I8), BYTES) for value in values]
        pairs = [(weight, value) for value in signed for weight in raised]
        return [code.call(multiply, [own, *pair]) for own, pair in zip(sums, pairs, strict=True)]

    none = ir.Constant(INTS, None)
    sums = code.loop(inner, 4 * LANES, body, *[none] * (height * width))
    found = totals(code, [*sums, *[none] * (LANES - len(sums))])
    for j in range(height):
        place = code.at(row(code, result, code.add(top, number(j)), result.size(1), I32), output, I32)
        lanes = ir.Constant(ir.VectorType(I32, width), list(range(j * width, (j + 1) * width)))
        code.store(code.shuffle_vector(found, found, lanes), place, align=4)


def page_product(code: Code, call: Call, span: tuple[Value, Value]) -> None:
    """Some of the batch's rows, each with the pages that it owns; a page is read once, by one thread."""
    given, result = [call.given(index) for index in range(5)], call.result(0)
    _, _, b, owner, gates = given
    out = b.size(1)
    first, some = span

    def own(index: Value) -> None:
        mine = code.add(first, index)
        line = row(code, result, mine, out, F32)

        def clear(at: Value) -> None:
            code.store(ZERO, code.at(line, at, F32), align=4)

        def page(which: Value) -> None:
            its = code.sext(code.fetch(code.at(owner.data, which, I32), I32), I64)
            opened = [_gate(code, gates, which, k) for k in range(PAGE)]
            used = code.icmp_signed("==", its, mine)
            anything = opened[0][1]
            for _, nonzero in opened[1:]:
                anything = code.or_(anything, nonzero)
            with code.if_then(code.and_(used, anything)):
                _add_page(code, given, line, mine, which, opened)

        code.loop(out, LANES, clear)
        code.loop(owner.size(0), 1, page)

    code.loop(some, 1, own)


def _gate(code: Code, gates: Buffer, page: Value, k: int) -> tuple[Value, Value]:
    """(gate, whether it is open)."""
    gate = code.fetch(code.at(gates.data, code.add(code.mul(page, number(PAGE)), number(k)), F32), F32)
    return gate, code.fcmp_unordered("!=", gate, number(0, F32))


def _add_page(
    code: Code,
    given: Sequence[Buffer],
    line: Value,
    mine: Value,
    which: Value,
    gates: Sequence[tuple[Value, Value]],
) -> None:
    """line += ((x @ a.T) * gates) @ b, over the rank rows of one page."""
    rows, a, b, *_ = given
    inner, out = a.size(1), b.size(1)
    places = [code.add(code.mul(which, number(PAGE)), number(k)) for k in range(PAGE)]
    x = row(code, rows, mine, inner, F32)
    before, after = (
        [row(code, side, at, size, F32) for at in places] for side, size in ((a, inner), (b, out))
    )

    def dots(at: Value, *sums: Value) -> list[Value]:
        for later in after:  # the beginnings of what is read next
            code.prefetch(code.at(later, at, F32))
        value = code.fetch(code.at(x, at, F32), FLOATS)
        lines = [code.fetch(code.at(each, at, F32), FLOATS) for each in before]
        return [multiply_add(code, value, each, own) for each, own in zip(lines, sums, strict=True)]

    sums = code.loop(inner, LANES, dots, *[ZERO] * PAGE)
    factors = [
        spread(code, code.select(nonzero, code.fmul(total(code, own), gate), number(0, F32)))
        for own, (gate, nonzero) in zip(sums, gates, strict=True)
    ]

    def add(at: Value) -> None:
        place = code.at(line, at, F32)
        found = code.fetch(place, FLOATS)
        for each, factor in zip(after, factors, strict=True):
            found = multiply_add(code, factor, code.fetch(code.at(each, at, F32), FLOATS), found)
        code.store(found, place, align=4)

    code.loop(out, LANES, add)
