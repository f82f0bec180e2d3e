"""One token's attention over the cache: every row and key-value head reads its own positions once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llvmlite import ir

from liminal.engine.kernels.llvm import F32, I32, I64, POINTER, Call, Code, Phase, Value, number
from liminal.engine.kernels.vectors import (
    FLOATS,
    INTS,
    LANES,
    ZERO,
    every,
    exponential,
    largest,
    multiply_add,
    row,
    spread,
    total,
    totals,
)

STEP = 64
"""Positions between two corrections of the running softmax."""
REGISTERS = 24
"""Vectors of mixed values that are held at once; more heads than that are taken in turns."""
FLOOR = -1e30


def decode_attention(groups: int, dim: int) -> Phase:
    """The kernel for ``groups`` query heads a key-value head, of ``dim`` numbers each.

    (q f32 [B, N, H] already scaled, keys and values f32 [slots, K, L, H], positions int32 [B], window int32,
    0 for none) → f32 [B, N, H]. A row at the last position of the cache takes no part and gives zeros.
    """

    def units(code: Code, call: Call) -> Value:
        return code.mul(call.given(0).size(0), call.given(1).size(1))

    def body(code: Code, call: Call, span: tuple[Value, Value]) -> None:
        q, keys, values, positions, window = (call.given(index) for index in range(5))
        result, (first, some) = call.result(0), span
        kv_heads, length = keys.size(1), keys.size(2)
        wide = code.sext(code.fetch(window.data, I32), I64)
        room = scratch(code, groups, dim)

        def unit(index: Value) -> None:
            which = code.add(first, index)
            slot = code.sdiv(which, kv_heads)
            position = code.sext(code.fetch(code.at(positions.data, slot, I32), I32), I64)
            sides = [row(code, side, which, number(groups * dim), F32) for side in (q, result)]
            each = code.mul(length, number(dim))
            lines = [row(code, side, which, each, F32) for side in (keys, values)]
            attend_row(
                code,
                (groups, dim),
                (sides[0], sides[1]),
                (lines[0], lines[1]),
                (position, length),
                wide,
                room,
            )

        code.loop(some, 1, unit)

    return Phase(units, body)


def _together(groups: int, dim: int) -> int:
    return min(groups, max(1, REGISTERS // (dim // LANES)))


def scratch(code: Code, groups: int, dim: int) -> Value:
    """Room on the stack for the scores of a step."""
    with code.goto_entry_block():
        # llvmlite gives it a type, which what else is an address here does not have
        room = code.alloca(F32, _together(groups, dim) * STEP)
        return code.inttoptr(code.ptrtoint(room, I64), POINTER)


def attend_row(
    code: Code,
    sizes: tuple[int, int],
    sides: tuple[Value, Value],
    lines: tuple[Value, Value],
    place: tuple[Value, Value],
    window: Value,
    room: Value | None = None,
) -> None:
    """What (heads, dim) queries at an address see goes to another: ``sides``.

    lines: where their key-value head's keys and values begin; place: (position, length of a slot);
    window: 0 for none; room: of ``scratch``.
    """
    (groups, dim), (position, length) = sizes, place
    idle = code.icmp_signed("==", position, code.sub(length, number(1)))
    end = code.select(idle, number(0), code.add(position, number(1)))
    limited = code.and_(code.icmp_signed(">", window, number(0)), code.icmp_signed("<", window, end))
    begin = code.select(limited, code.sub(end, window), number(0))
    found = _Lines(*lines, scratch(code, groups, dim) if room is None else room, begin, end)
    together = _together(groups, dim)
    for start in range(0, groups, together):
        some = min(together, groups - start)
        asked, answer = (code.at(side, number(start * dim), F32) for side in sides)
        _Heads(code, found, dim, some).attend(asked, answer)


@dataclass(frozen=True)
class _Lines:
    """The keys and values of one head of one row, room for scores, and which positions are seen."""

    keys: Value
    values: Value
    scratch: Value
    begin: Value
    end: Value


class _Heads:
    """A few query heads of one key-value head."""

    def __init__(self, code: Code, lines: _Lines, dim: int, heads: int) -> None:
        self.code, self.lines, self.dim, self.heads = code, lines, dim, heads
        self.parts = dim // LANES

    def attend(self, asked: Value, answer: Value) -> None:
        """Write what the queries at ``asked`` see to ``answer``."""
        code, heads = self.code, self.heads
        start = code.and_(self.lines.begin, number(-STEP))

        def step(index: Value, *carried: Value) -> list[Value]:
            tops, sums, mixed = carried[:heads], carried[heads : 2 * heads], carried[2 * heads :]
            at = code.add(start, index)
            peaks = self._scores(asked, at)
            new_tops = [largest(code, top, peak) for top, peak in zip(tops, peaks, strict=True)]
            decays = [exponential(code, code.fsub(top, new)) for top, new in zip(tops, new_tops, strict=True)]
            weights = [self._weigh(head, top) for head, top in enumerate(new_tops)]
            new_sums = [
                multiply_add(code, own, decay, weight)
                for own, decay, weight in zip(sums, decays, weights, strict=True)
            ]
            faded = [code.fmul(part, decays[k // self.parts]) for k, part in enumerate(mixed)]
            return [*new_tops, *new_sums, *self._mix(at, faded)]

        begun = [*[every(FLOOR)] * heads, *[ZERO] * heads, *[ZERO] * (heads * self.parts)]
        found = code.loop(code.sub(self.lines.end, start), STEP, step, *begun)
        for head in range(heads):
            whole = total(code, found[heads + head])
            # of a row that takes no part everything is zero
            whole = code.select(code.fcmp_ordered(">", whole, number(0, F32)), whole, number(1, F32))
            for part in range(self.parts):
                mixed = code.fdiv(found[2 * heads + head * self.parts + part], spread(code, whole))
                place = code.at(answer, number(head * self.dim + part * LANES), F32)
                code.store(mixed, place, align=4)

    def _scores(self, asked: Value, at: Value) -> list[Value]:
        """Put the scores of STEP positions into the scratch; the largest of each head, in every lane."""
        code, lanes = self.code, ir.Constant(INTS, list(range(LANES)))
        begin, end = (spread(code, code.trunc(x, I32)) for x in (self.lines.begin, self.lines.end))

        def some(index: Value, *peaks: Value) -> list[Value]:
            first = code.add(at, index)
            where = code.add(spread(code, code.trunc(first, I32)), lanes)
            seen = code.and_(code.icmp_signed(">=", where, begin), code.icmp_signed("<", where, end))
            new: list[Value] = []
            for head, peak in enumerate(peaks):
                query = [
                    code.fetch(code.at(asked, number(head * self.dim + part * LANES), F32), FLOATS)
                    for part in range(self.parts)
                ]
                dots = [self._dot(query, code.add(first, number(lane))) for lane in range(LANES)]
                scores = code.select(seen, totals(code, dots), every(FLOOR))
                code.store(scores, self._scratch(head, index), align=4)
                new.append(largest(code, peak, scores))
            return new

        peaks = code.loop(number(STEP), LANES, some, *[every(FLOOR)] * self.heads)
        top = code.external("llvm.vector.reduce.fmax.v16f32", F32, FLOATS)
        return [spread(code, code.call(top, [peak])) for peak in peaks]

    def _dot(self, query: Sequence[Value], position: Value) -> Value:
        """The products of a query and the key of a position, yet to be added up."""
        code = self.code
        key = code.at(self.lines.keys, code.mul(position, number(self.dim)), F32)
        found = ZERO
        for part, own in enumerate(query):
            found = multiply_add(
                code, own, code.fetch(code.at(key, number(part * LANES), F32), FLOATS), found
            )
        return found

    def _weigh(self, head: int, top: Value) -> Value:
        """Scores in the scratch become weights; their sums, lane by lane."""
        code, found = self.code, ZERO
        for index in range(0, STEP, LANES):
            place = self._scratch(head, number(index))
            weights = exponential(code, code.fsub(code.fetch(place, FLOATS), top))
            code.store(weights, place, align=4)
            found = code.fadd(found, weights)
        return found

    def _mix(self, at: Value, mixed: Sequence[Value]) -> list[Value]:
        """Add the values of the positions that are seen, by their weights."""
        code = self.code
        before = code.sub(self.lines.begin, at)
        first = code.select(code.icmp_signed(">", before, number(0)), before, number(0))
        last = code.least(code.sub(self.lines.end, at), number(STEP))

        def position(index: Value, *own: Value) -> list[Value]:
            place = code.add(first, index)
            line = code.at(self.lines.values, code.mul(code.add(at, place), number(self.dim)), F32)
            values = [
                code.fetch(code.at(line, number(part * LANES), F32), FLOATS) for part in range(self.parts)
            ]
            new: list[Value] = []
            for head in range(self.heads):
                weight = spread(code, code.fetch(self._scratch(head, place), F32))
                new += [
                    multiply_add(code, weight, value, own[head * self.parts + part])
                    for part, value in enumerate(values)
                ]
            return new

        return code.loop(code.sub(last, first), 1, position, *mixed)

    def _scratch(self, head: int, index: Value) -> Value:
        return self.code.at(self.lines.scratch, self.code.add(index, number(head * STEP)), F32)
