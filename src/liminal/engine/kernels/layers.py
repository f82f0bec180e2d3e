"""All layers of a decoder over a few rows, in one call: for one row, what XLA does between products costs
as much time as the products do.

Each row is a token of some slot at some position: one of each slot in decoding, a chunk of one slot's
prompt. All rows' keys and values are written before any row attends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from liminal.engine.blocks import BLOCK, ROWS, Form
from liminal.engine.kernels.attention import attend_row
from liminal.engine.kernels.llvm import F32, I8, I32, I64, Buffer, Call, Code, Phase, Value, number
from liminal.engine.kernels.sizes import GIVEN, LAYER
from liminal.engine.kernels.tiles import Bytes8, Dots, bytes_room, multiply, quantise_block
from liminal.engine.kernels.vectors import (
    FLOATS,
    LANES,
    ZERO,
    every,
    exponential,
    multiply_add,
    spread,
    total,
)

Span = tuple[Value, Value]
"""(first, how many)."""


@dataclass(frozen=True)
class Sizes:
    """What a decoder's code depends on: heads, head_dim, and how each linear's bytes are read."""

    heads: int
    kv_heads: int
    dim: int
    forms: Mapping[str, Form]


class Layers:
    """Writes the phases of a layer."""

    def __init__(self, sizes: Sizes, dots: Dots) -> None:
        """For one processor's way to multiply bytes."""
        self.sizes, self.dots = sizes, dots
        self.lines = sizes.heads + 2 * sizes.kv_heads

    def phases(self) -> list[Phase]:
        """In their order."""
        sizes = self.sizes
        return [
            Phase(_rows, self._each(self._norm_first)),
            Phase(lambda _, __: number(self.lines), self._each(self._project)),
            Phase(
                lambda code, call: code.mul(_rows(code, call), number(sizes.kv_heads)),
                self._each(self._attend),
            ),
            Phase(_groups, self._output),
            Phase(_rows, self._each(self._norm_second)),
            Phase(lambda code, call: code.sdiv(_inner(code, call), number(BLOCK)), self._gate),
            Phase(_groups, self._down),
        ]

    def _each(self, one: Callable[[Code, Call, Value], None]) -> Callable[[Code, Call, Span], None]:
        def some(code: Code, call: Call, span: Span) -> None:
            def at(index: Value) -> None:
                one(code, call, code.add(span[0], index))

            code.loop(span[1], 1, at)

        return some

    def _norm_first(self, code: Code, call: Call, part: Value) -> None:
        self._norm(code, call, part, "input_norm")

    def _norm_second(self, code: Code, call: Call, part: Value) -> None:
        self._norm(code, call, part, "post_norm")

    def _norm(self, code: Code, call: Call, part: Value, name: str) -> None:
        """A row, normalised, into bytes."""
        room = _Room(code, call, self.sizes)
        x, weight = room.x(part), _layer(code, call, name).data
        to = room.hidden.row(code, part)

        def square(at: Value, own: Value) -> list[Value]:
            value = code.fetch(code.at(x, at, F32), FLOATS)
            return [multiply_add(code, value, value, own)]

        size = room.width
        summed = total(code, code.loop(size, LANES, square, ZERO)[0])
        mean = code.fdiv(summed, code.sitofp(size, F32))
        eps = code.fetch(call.given(GIVEN.index("eps")).data, F32)
        root = code.call(code.external("llvm.sqrt.f32", F32, F32), [code.fadd(mean, eps)])
        scale = spread(code, code.fdiv(number(1, F32), root))

        def block(index: Value) -> None:
            values: list[Value] = []
            for half in range(2):
                at = code.add(code.mul(index, number(BLOCK)), number(half * LANES))
                value, factor = (code.fetch(code.at(side, at, F32), FLOATS) for side in (x, weight))
                values.append(code.fmul(code.fmul(value, scale), factor))
            quantise_block(code, (values[0], values[1]), to, index)

        code.loop(code.sdiv(size, number(BLOCK)), 1, block)

    def _project(self, code: Code, call: Call, part: Value) -> None:
        """A head of q, k or v of all rows; q and k rotated, k and v into the cache."""
        sizes = self.sizes
        ends = (sizes.heads, sizes.heads + sizes.kv_heads)
        is_q, is_k = (code.icmp_signed("<", part, number(end)) for end in ends)
        with code.if_else(is_q) as (query, others):
            with query:
                self._head(code, call, part, ("q_proj", 0))
            with others, code.if_else(is_k) as (key, value):
                with key:
                    self._head(code, call, part, ("k_proj", ends[0]))
                with value:
                    self._head(code, call, part, ("v_proj", ends[1]))

    def _head(self, code: Code, call: Call, part: Value, which: tuple[str, int]) -> None:
        room, dim = _Room(code, call, self.sizes), self.sizes.dim
        name, first = which
        head = code.sub(part, number(first))
        to = code.at(room.lines, code.mul(part, number(dim)), F32)
        place = (code.mul(head, number(dim // ROWS)), number(dim // ROWS))
        self._multiply(code, call, name, place, room.hidden, (to, number(self.lines * dim)))
        side = 1 if name == "k_proj" else 2

        def row(index: Value) -> None:
            own = code.at(to, code.mul(index, number(self.lines * dim)), F32)
            line = own if name == "q_proj" else room.cached(side, index, head)
            if name == "v_proj":
                for at in range(0, dim, LANES):
                    value = code.fetch(code.at(own, number(at), F32), FLOATS)
                    code.store(value, code.at(line, number(at), F32), align=4)
            else:
                self._rotate(code, call, index, (own, line), dim**-0.5 if name == "q_proj" else 1.0)

        code.loop(room.count, 1, row)

    def _rotate(self, code: Code, call: Call, index: Value, lines: tuple[Value, Value], scale: float) -> None:
        """From one address to another."""
        half = self.sizes.dim // 2
        turns = [code.at(call.given(place).data, code.mul(index, number(half)), F32) for place in (1, 2)]
        for at in range(0, half, LANES):
            cos, sin = (code.fetch(code.at(turn, number(at), F32), FLOATS) for turn in turns)
            if scale != 1.0:
                cos, sin = (code.fmul(each, every(scale)) for each in (cos, sin))
            left, right = (
                code.fetch(code.at(lines[0], number(at + offset), F32), FLOATS) for offset in (0, half)
            )
            first = code.fsub(code.fmul(left, cos), code.fmul(right, sin))
            second = multiply_add(code, left, sin, code.fmul(right, cos))
            code.store(first, code.at(lines[1], number(at), F32), align=4)
            code.store(second, code.at(lines[1], number(at + half), F32), align=4)

    def _attend(self, code: Code, call: Call, part: Value) -> None:
        """The query heads of one key-value head of one row; what they see into bytes."""
        room, sizes = _Room(code, call, self.sizes), self.sizes
        groups = sizes.heads // sizes.kv_heads
        wide = groups * sizes.dim
        head, index = code.sdiv(part, room.count), code.srem(part, room.count)
        column = code.mul(head, number(wide))
        asked = code.at(room.lines, code.add(code.mul(index, number(self.lines * sizes.dim)), column), F32)
        answer = code.at(room.mixed, code.add(code.mul(index, number(sizes.heads * sizes.dim)), column), F32)
        window = code.at(call.given(GIVEN.index("windows")).data, call.turn, I32)
        attend_row(
            code,
            (groups, sizes.dim),
            (asked, answer),
            (room.line(1, index, head), room.line(2, index, head)),
            (room.position(index), room.length),
            code.sext(code.fetch(window, I32), I64),
        )
        to = room.seen.row(code, index)
        first = code.sdiv(column, number(BLOCK))

        def block(which: Value) -> None:
            at = code.at(answer, code.mul(which, number(BLOCK)), F32)
            halves = (code.fetch(at, FLOATS), code.fetch(code.at(at, number(LANES), F32), FLOATS))
            quantise_block(code, halves, to, code.add(first, which))

        code.loop(number(wide // BLOCK), 1, block)

    def _output(self, code: Code, call: Call, span: Span) -> None:
        room = _Room(code, call, self.sizes)
        to = code.at(room.x(number(0)), code.mul(span[0], number(ROWS)), F32)
        self._multiply(code, call, "o_proj", span, room.seen, (to, room.width), add=True)

    def _gate(self, code: Code, call: Call, span: Span) -> None:
        """Blocks of 32 outputs of gate and up; silu(gate) · up into bytes."""
        room = _Room(code, call, self.sizes)
        first, count = span
        column = code.mul(first, number(BLOCK))
        groups = (code.mul(first, number(BLOCK // ROWS)), code.mul(count, number(BLOCK // ROWS)))
        sides = [code.at(side, column, F32) for side in (room.gate, room.up)]
        for name, side in zip(("gate_proj", "up_proj"), sides, strict=True):
            self._multiply(code, call, name, groups, room.hidden, (side, room.inner))

        def row(index: Value) -> None:
            def block(which: Value) -> None:
                values: list[Value] = []
                for half in range(2):
                    at = code.add(code.mul(which, number(BLOCK)), number(half * LANES))
                    at = code.add(code.mul(index, room.inner), at)
                    gate, up = (code.fetch(code.at(side, at, F32), FLOATS) for side in sides)
                    values.append(code.fmul(_silu(code, gate), up))
                to = room.active.row(code, index)
                quantise_block(code, (values[0], values[1]), to, code.add(first, which))

            code.loop(count, 1, block)

        code.loop(room.count, 1, row)

    def _down(self, code: Code, call: Call, span: Span) -> None:
        room = _Room(code, call, self.sizes)
        to = code.at(room.x(number(0)), code.mul(span[0], number(ROWS)), F32)
        self._multiply(code, call, "down_proj", span, room.active, (to, room.width), add=True)

    def _multiply(
        self,
        code: Code,
        call: Call,
        name: str,
        place: tuple[Value, Value],
        rows: Bytes8,
        out: tuple[Value, Value],
        add: bool = False,
    ) -> None:
        form, weights = self.sizes.forms[name], _layer(code, call, name)
        each = code.mul(weights.size(1), number(form.block_bytes))
        at = code.at(weights.data, code.mul(place[0], each), I8)
        multiply(code, self.dots, form, at, place[1], (rows, _rows(code, call)), out, add)


class _Room:
    """Where a call keeps what."""

    def __init__(self, code: Code, call: Call, sizes: Sizes) -> None:
        self._code, self._call, self._sizes = code, call, sizes
        hidden = call.result(0)
        rows, self.width, self._x = hidden.size(0), hidden.size(1), hidden.data
        self.count, self.inner = _rows(code, call), _inner(code, call)
        self.layers = call.given(GIVEN.index("windows")).size(0)
        mixed = number(sizes.heads * sizes.dim)
        wide = number((sizes.heads + 2 * sizes.kv_heads) * sizes.dim)
        places: list[Value] = []
        at = call.result(code.add(code.mul(self.layers, number(2)), number(1))).data
        for size in (wide, mixed, self.inner, self.inner):
            places.append(at)
            at = code.at(at, code.mul(rows, size), F32)
        self.lines, self.mixed, self.gate, self.up = places
        self.hidden, at = bytes_room(code, at, rows, self.width)
        self.seen, at = bytes_room(code, at, rows, mixed)
        self.active, _ = bytes_room(code, at, rows, self.inner)

    @property
    def length(self) -> Value:
        """Positions of a slot."""
        return self._side(1).size(2)

    def x(self, index: Value) -> Value:
        """A row's hidden state."""
        return self._code.at(self._x, self._code.mul(index, self.width), F32)

    def position(self, index: Value) -> Value:
        """Of a row."""
        return self._whole("positions", index)

    def cached(self, side: int, index: Value, head: Value) -> Value:
        """Where a row's own key (1) or value (2) stands."""
        code = self._code
        at = code.mul(self.position(index), number(self._sizes.dim))
        return code.at(self.line(side, index, head), at, F32)

    def line(self, side: int, index: Value, head: Value) -> Value:
        """Where the keys or values of a head of a row's slot begin."""
        code = self._code
        slot = self._whole("slots", index)
        which = code.add(code.mul(slot, number(self._sizes.kv_heads)), head)
        at = code.mul(which, code.mul(self.length, number(self._sizes.dim)))
        return code.at(self._side(side).data, at, F32)

    def _side(self, side: int) -> Buffer:
        code = self._code
        first = number(1) if side == 1 else code.add(self.layers, number(1))
        return self._call.result(code.add(first, self._call.turn))

    def _whole(self, name: str, index: Value) -> Value:
        code = self._code
        return code.sext(code.fetch(code.at(self._call.given(GIVEN.index(name)).data, index, I32), I32), I64)


def turns(code: Code, call: Call) -> Value:
    """Once for each layer."""
    return call.given(GIVEN.index("windows")).size(0)


def _layer(code: Code, call: Call, name: str) -> Buffer:
    first = number(len(GIVEN) + LAYER.index(name))
    return call.given(code.add(first, code.mul(call.turn, number(len(LAYER)))))


def _rows(code: Code, call: Call) -> Value:
    return code.sext(code.fetch(call.given(GIVEN.index("count")).data, I32), I64)


def _groups(code: Code, call: Call) -> Value:
    return code.sdiv(call.result(0).size(1), number(ROWS))


def _inner(code: Code, call: Call) -> Value:
    return code.mul(_layer(code, call, "down_proj").size(1), number(BLOCK))


def _silu(code: Code, x: Value) -> Value:
    """x / (1 + e^-x), by the exponential of what is not above 0."""
    away = code.call(code.external("llvm.fabs.v16f32", FLOATS, FLOATS), [x])
    small = exponential(code, code.fneg(away))
    over: Any = code.fcmp_ordered(">=", x, ZERO)
    return code.fmul(x, code.fdiv(code.select(over, every(1.0), small), code.fadd(small, every(1.0))))
