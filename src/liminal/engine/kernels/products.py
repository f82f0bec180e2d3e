"""What a kernel computes, written for LLVM."""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from liminal.engine.kernels import INT8_PRODUCT, LANES, PAGE_PRODUCT
from liminal.engine.kernels.llvm import (
    F32,
    I8,
    I32,
    I64,
    Buffer,
    Code,
    Native,
    Value,
    forget_compiler,
    number,
    processor_has,
)  # fmt: skip
from liminal.engine.params import PAGE

FLOATS, INTS, BYTES = ir.VectorType(F32, LANES), ir.VectorType(I32, LANES), ir.VectorType(I8, 4 * LANES)
ZERO = ir.Constant(FLOATS, None)
PARTS = 8


def register() -> frozenset[str]:
    """Compile the kernels for this processor and make them known to JAX; their names."""
    kernels = [Native(PAGE_PRODUCT, arguments=5, parts=PARTS, body=_page_product)]
    if processor_has("avx512vnni"):
        kernels.append(Native(INT8_PRODUCT, arguments=2, parts=PARTS, body=_int8_product))
    for kernel in kernels:
        kernel.register()
    forget_compiler()
    return frozenset(kernel.name for kernel in kernels)


def _share(code: Code, count: Value, part: Value, unit: int) -> tuple[Value, Value]:
    """(first, how many) of ``count`` that a part has, in whole units but for the last."""
    each = code.sdiv(code.add(count, number(PARTS * unit - 1)), number(PARTS * unit))
    each = code.mul(each, number(unit))
    first = code.least(code.mul(part, each), count)
    return first, code.least(each, code.sub(count, first))


def _int8_product(code: Code, given: Sequence[Buffer], result: Buffer, part: Value) -> None:
    """A part of the outputs for all rows: tiles of four rows of the weight by four rows of the batch.

    VPDPBUSD multiplies bytes without a sign by bytes with one. The weight is moved up by 128 on its way;
    what that adds, 128 times the sum of a row, the caller takes away.
    """
    rows, weight = given
    count, inner, out = rows.size(0), rows.size(1), result.size(1)
    first, share = _share(code, out, part, unit=4)
    multiply = code.external("llvm.x86.avx512.vpdpbusd.512", INTS, INTS, BYTES, BYTES)
    total = code.external("llvm.vector.reduce.add.v16i32", I32, INTS)
    up = ir.Constant(BYTES, [-128] * (4 * LANES))

    def tile(output: Value, outputs: int, row: Value, height: int) -> None:
        weights = [_row(code, weight, code.add(output, number(k)), inner, I8) for k in range(outputs)]
        values = [_row(code, rows, code.add(row, number(k)), inner, I8) for k in range(height)]
        ahead = code.mul(inner, number(outputs))

        def body(at: Value, *sums: Value) -> list[Value]:
            bytes_ = [code.fetch(code.at(value, at, I8), BYTES) for value in values]
            new: list[Value] = []
            for k, line in enumerate(weights):
                code.prefetch(code.at(line, code.add(at, ahead), I8))
                raised = code.xor(code.fetch(code.at(line, at, I8), BYTES), up)
                new += [
                    code.call(multiply, [sums[k * height + j], raised, value])
                    for j, value in enumerate(bytes_)
                ]
            return new

        sums = code.loop(inner, 4 * LANES, body, *[ir.Constant(INTS, None)] * (outputs * height))
        for k in range(outputs):
            for j in range(height):
                line = _row(code, result, code.add(row, number(j)), out, I32)
                place = code.at(line, code.add(output, number(k)), I32)
                code.store(code.call(total, [sums[k * height + j]]), place, align=4)

    def column(start: Value, outputs: int) -> None:
        code.tiles(count, (4, 2, 1), lambda row, height: tile(code.add(first, start), outputs, row, height))

    code.tiles(share, (4, 1), column)


def _page_product(code: Code, given: Sequence[Buffer], result: Buffer, part: Value) -> None:
    """A part of the batch's rows, each with the pages that it owns; a page is read once, by one thread."""
    rows, a, b, owner, gates = given
    pages, inner, out = owner.size(0), a.size(1), b.size(1)
    first, share = _share(code, rows.size(0), part, unit=1)

    def row(index: Value) -> None:
        mine = code.add(first, index)
        line = _row(code, result, mine, out, F32)

        def clear(at: Value) -> None:
            code.store(ZERO, code.at(line, at, F32), align=4)

        def page(number_: Value) -> None:
            its = code.sext(code.fetch(code.at(owner.data, number_, I32), I32), I64)
            opened = [_gate(code, gates, number_, k) for k in range(PAGE)]
            used = code.icmp_signed("==", its, mine)
            anything = opened[0][1]
            for _, nonzero in opened[1:]:
                anything = code.or_(anything, nonzero)
            with code.if_then(code.and_(used, anything)):
                top = code.mul(number_, number(PAGE))
                lines = [_row(code, a, code.add(top, number(k)), inner, F32) for k in range(PAGE)]
                following = [_row(code, b, code.add(top, number(k)), out, F32) for k in range(PAGE)]
                dots = _dots(code, _row(code, rows, mine, inner, F32), lines, inner, following)
                scaled = [
                    code.select(nonzero, code.fmul(dot, gate), number(0, F32))
                    for dot, (gate, nonzero) in zip(dots, opened, strict=True)
                ]
                _add_scaled(code, line, following, scaled, out)

        code.loop(out, LANES, clear)
        code.loop(pages, 1, page)

    code.loop(share, 1, row)


def _row(code: Code, buffer: Buffer, index: Value, length: Value, of: ir.Type) -> Value:
    return code.at(buffer.data, code.mul(index, length), of)


def _gate(code: Code, gates: Buffer, page: Value, k: int) -> tuple[Value, Value]:
    """(gate, whether it is open)."""
    place = code.at(gates.data, code.add(code.mul(page, number(PAGE)), number(k)), F32)
    gate = code.fetch(place, F32)
    return gate, code.fcmp_unordered("!=", gate, number(0, F32))


def _dots(code: Code, x: Value, lines: Sequence[Value], inner: Value, later: Sequence[Value]) -> list[Value]:
    """x times each of the lines, while the beginnings of those that are read afterwards are fetched."""
    multiply = code.external("llvm.fma.v16f32", FLOATS, FLOATS, FLOATS, FLOATS)
    total = code.external("llvm.vector.reduce.fadd.v16f32", F32, F32, FLOATS)

    def body(at: Value, *sums: Value) -> list[Value]:
        value = code.fetch(code.at(x, at, F32), FLOATS)
        for line in later:
            code.prefetch(code.at(line, at, F32))
        return [
            code.call(multiply, [value, code.fetch(code.at(line, at, F32), FLOATS), own])
            for line, own in zip(lines, sums, strict=True)
        ]

    sums = code.loop(inner, LANES, body, *[ZERO] * len(lines))
    return [code.call(total, [number(0, F32), own], fastmath=("reassoc",)) for own in sums]


def _add_scaled(
    code: Code, result: Value, lines: Sequence[Value], factors: Sequence[Value], out: Value
) -> None:
    """result += Σ factor * line."""
    multiply = code.external("llvm.fma.v16f32", FLOATS, FLOATS, FLOATS, FLOATS)
    wide = [_spread(code, factor) for factor in factors]

    def body(at: Value) -> None:
        place = code.at(result, at, F32)
        own = code.fetch(place, FLOATS)
        for line, factor in zip(lines, wide, strict=True):
            own = code.call(multiply, [factor, code.fetch(code.at(line, at, F32), FLOATS), own])
        code.store(own, place, align=4)

    code.loop(out, LANES, body)


def _spread(code: Code, value: Value) -> Value:
    """The value in every lane."""
    one = code.insert_element(ZERO, value, number(0, I32))
    return code.shuffle_vector(one, ZERO, ir.Constant(ir.VectorType(I32, LANES), [0] * LANES))
