"""Rows of f32 as bytes, and their products with matrices of 4 or 8 bits (``liminal.engine.blocks``).

A row's 32 values share a scale, as a weight's do: Σ w·x = d·s·Σ q·p + m·s·Σ p over each block, with q the
weight's numbers and p the row's. The sums Σ q·p are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llvmlite import ir

from liminal.engine.blocks import BLOCK, ROWS, Form
from liminal.engine.kernels.llvm import F32, I8, I32, I64, NOTHING, POINTER, Code, Value, number
from liminal.engine.kernels.vectors import (
    BYTES,
    FLOATS,
    INTS,
    LANES,
    ZERO,
    every,
    joined,
    lower,
    multiply_add,
    spread,
    upper,
)

TILE = 8
"""Rows whose sums stay in registers; a weight is unpacked once for them."""
FEW, AHEAD = 8, 8
"""Rows up to which a product waits for its weights, and the blocks ahead that are asked for then."""
HALVES = ir.VectorType(ir.HalfType(), LANES)
WORDS, SHORTS = ir.VectorType(I32, LANES // 2), ir.VectorType(ir.IntType(16), LANES)


@dataclass(frozen=True)
class Dots:
    """How a processor multiplies bytes: ``vnni512``, ``vnni256`` or ``avx2``."""

    kind: str

    @property
    def raised(self) -> bool:
        """Whether signed weights are moved up by 128, for an instruction whose left bytes have no sign."""
        return self.kind != "avx2"

    def add(self, code: Code, sums: Value, weights: Value, row: Value, signed: bool) -> Value:
        """sums int32 [16] + the products of each lane's four bytes."""
        if self.kind == "vnni512":
            call = code.external("llvm.x86.avx512.vpdpbusd.512", INTS, INTS, BYTES, BYTES)
            return code.call(call, [sums, weights, row])
        first, second = (
            self._half(code, part(code, sums), part(code, weights), part(code, row), signed)
            for part in (lower, upper)
        )
        return joined(code, first, second)

    def _half(self, code: Code, sums: Value, weights: Value, row: Value, signed: bool) -> Value:
        quarter = ir.VectorType(I8, 2 * LANES)
        if self.kind == "vnni256":
            call = code.external("llvm.x86.avx512.vpdpbusd.256", WORDS, WORDS, quarter, quarter)
            return code.call(call, [sums, weights, row])
        if signed:
            sign = code.external("llvm.x86.avx2.psign.b", quarter, quarter, quarter)
            row = code.call(sign, [row, weights])
            weights = code.call(sign, [weights, weights])
        pairs = code.call(
            code.external("llvm.x86.avx2.pmadd.ub.sw", SHORTS, quarter, quarter), [weights, row]
        )
        fours = code.call(
            code.external("llvm.x86.avx2.pmadd.wd", WORDS, SHORTS, SHORTS), [pairs, every(1, SHORTS)]
        )
        return code.add(sums, fours)


@dataclass(frozen=True)
class Bytes8:
    """Rows in bytes: ``numbers`` int8 [rows, in], ``scales`` and ``sums`` f32 [rows, in / 32] (s, s·Σ p)."""

    numbers: Value
    scales: Value
    sums: Value
    inner: Value

    def row(self, code: Code, index: Value) -> Bytes8:
        """From a row on."""
        blocks = code.mul(index, code.sdiv(self.inner, number(BLOCK)))
        return Bytes8(
            code.at(self.numbers, code.mul(index, self.inner), I8),
            code.at(self.scales, blocks, F32),
            code.at(self.sums, blocks, F32),
            self.inner,
        )


def bytes_room(code: Code, start: Value, rows: Value, inner: Value) -> tuple[Bytes8, Value]:
    """Rows in bytes that begin at an address, and the address after them."""
    scales = code.at(start, code.mul(rows, inner), I8)
    blocks = code.mul(rows, code.sdiv(inner, number(BLOCK)))
    sums = code.at(scales, blocks, F32)
    return Bytes8(start, scales, sums, inner), code.at(sums, blocks, F32)


def quantise_block(code: Code, values: tuple[Value, Value], to: Bytes8, block: Value) -> None:
    """32 values, in two vectors, into the place of a block of a row. What is no number stays none."""
    top = code.external("llvm.vector.reduce.smax.v16i32", I32, INTS)
    larger = code.external("llvm.smax.v16i32", INTS, INTS, INTS)
    # without their signs, floats are ordered as their bits are, infinities and NaN above all
    bits = [code.and_(code.bitcast(value, INTS), every(0x7FFFFFFF, INTS)) for value in values]
    largest = code.bitcast(code.call(top, [code.call(larger, bits)]), F32)
    scale = code.fmul(largest, number(1 / 127, F32))
    inverse = code.fdiv(number(127, F32), largest)
    some = code.fcmp_ordered(">", largest, number(1e-30, F32))
    inverse = spread(code, code.select(some, inverse, number(0, F32)))
    nearest = code.external("llvm.roundeven.v16f32", FLOATS, FLOATS)
    narrow = ir.VectorType(I8, LANES)
    found: list[Value] = []
    for half, value in enumerate(values):
        whole = code.fptosi(code.call(nearest, [code.fmul(value, inverse)]), INTS)
        place = code.at(to.numbers, code.add(code.mul(block, number(BLOCK)), number(half * LANES)), I8)
        code.store(code.trunc(whole, narrow), place, align=1)
        found.append(whole)
    total = code.external("llvm.vector.reduce.add.v16i32", I32, INTS)
    sums = code.sitofp(code.call(total, [code.add(*found)]), F32)
    code.store(scale, code.at(to.scales, block, F32), align=4)
    code.store(code.fmul(scale, sums), code.at(to.sums, block, F32), align=4)


def quantise_row(code: Code, source: Value, to: Bytes8) -> None:
    """A row of f32 at an address."""

    def block(index: Value) -> None:
        at = code.at(source, code.mul(index, number(BLOCK)), F32)
        halves = (code.fetch(at, FLOATS), code.fetch(code.at(at, number(LANES), F32), FLOATS))
        quantise_block(code, halves, to, index)

    code.loop(code.sdiv(to.inner, number(BLOCK)), 1, block)


def multiply(
    code: Code,
    dots: Dots,
    form: Form,
    weights: Value,
    groups: Value,
    rows: tuple[Bytes8, Value],
    out: tuple[Value, Value],
    add: bool = False,
) -> None:
    """Products of rows (bytes, how many) and ``groups`` sixteens of a matrix, from the address on.

    ``out``: (address, values between two rows); ``add``: to what is there.
    """
    given, count = rows
    arguments = [weights, groups, given.numbers, given.scales, given.sums, given.inner, count, *out]
    code.call(_product(code, dots, form, add), arguments)


def _product(code: Code, dots: Dots, form: Form, add: bool) -> Value:
    """The function that does so, written once a module."""
    name = f"product.{form.bits}.{int(form.minimum)}.{int(add)}"
    found = code.module.globals.get(name)
    if found is not None:
        return found
    kinds = [POINTER, I64, POINTER, POINTER, POINTER, I64, I64, POINTER, I64]
    function = ir.Function(code.module, ir.FunctionType(NOTHING, kinds), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    own = type(code)(function.append_basic_block())
    weights, groups, numbers, scales, sums, inner, count, out, apart = function.args
    rows = Bytes8(numbers, scales, sums, inner)
    blocks = own.sdiv(inner, number(BLOCK))

    def some(top: Value, height: int) -> None:
        each = [rows.row(own, own.add(top, number(k))) for k in range(height)]
        results = [own.at(out, own.mul(own.add(top, number(k)), apart), F32) for k in range(height)]

        def group(index: Value) -> None:
            place = own.mul(own.mul(index, blocks), number(form.block_bytes))
            line = own.at(weights, place, I8)
            to = [own.at(each_out, own.mul(index, number(ROWS)), F32) for each_out in results]
            begun = [own.fetch(at, FLOATS) if add else ZERO for at in to]

            def block(at: Value, *totals: Value) -> list[Value]:
                return _Block(own, dots, form, own.at(line, own.mul(at, number(form.block_bytes)), I8)).add(
                    each, at, totals
                )

            for at, total in zip(to, own.loop(blocks, 1, block, *begun), strict=True):
                own.store(total, at, align=4)

        own.loop(groups, 1, group)

    own.tiles(count, (TILE, 4, 2, 1), some)
    own.ret_void()
    return function


class _Block:
    """Sixteen rows' block of a matrix."""

    def __init__(self, code: Code, dots: Dots, form: Form, start: Value) -> None:
        self.code, self.dots, self.form, self.start = code, dots, form, start

    def add(self, rows: Sequence[Bytes8], at: Value, totals: Sequence[Value]) -> list[Value]:
        """What the block adds to each row's sums."""
        code, form = self.code, self.form
        if len(rows) <= FEW:
            for offset in range(0, form.block_bytes, 64):
                code.prefetch(self._at(AHEAD * form.block_bytes + offset))
        signed = form.bits == 8 and not form.minimum
        places = [code.at(row.numbers, code.mul(at, number(BLOCK)), I8) for row in rows]
        found: list[Value] = [ir.Constant(INTS, None)] * len(rows)
        for words, weights in self._numbers(signed):
            for index, place in enumerate(places):
                value = code.fetch(code.at(place, number(4 * words), I8), I32)
                value = code.bitcast(spread(code, value), BYTES)
                found[index] = self.dots.add(code, found[index], weights, value, signed)
        scales = [
            code.fpext(code.fetch(self._at(ROWS * BLOCK * form.bits // 8 + 2 * ROWS * which), HALVES), FLOATS)
            for which in range(2 if form.minimum else 1)
        ]
        zero = 8 if form.bits == 4 else 128 if self.dots.raised else 0
        new: list[Value] = []
        for row, dot, total in zip(rows, found, totals, strict=True):
            scale, sums = (spread(code, code.fetch(code.at(x, at, F32), F32)) for x in (row.scales, row.sums))
            dot = code.fmul(code.sitofp(dot, FLOATS), scale)
            if form.minimum:
                total = multiply_add(code, scales[1], sums, total)
            elif zero:
                dot = multiply_add(code, sums, every(-zero), dot)
            new.append(multiply_add(code, dot, scales[0], total))
        return new

    def _numbers(self, signed: bool) -> list[tuple[int, Value]]:
        """(which four inputs, the sixteen rows' bytes of them)."""
        code, found = self.code, list[tuple[int, Value]]()
        for index in range(BLOCK * self.form.bits // 32):
            raw = code.fetch(self._at(index * 4 * LANES), BYTES)
            if self.form.bits == 4:
                found.append((index, code.and_(raw, every(15, BYTES))))
                found.append((index + 4, code.lshr(raw, every(4, BYTES))))
            else:
                raised = signed and self.dots.raised
                found.append((index, code.xor(raw, every(-128, BYTES)) if raised else raw))
        return found

    def _at(self, offset: int) -> Value:
        return self.code.at(self.start, number(offset), I8)
