"""Sequences of several adapters laid out in rows of fixed shapes.

A row belongs to one adapter, and holds one sequence or several that cannot see each other. Sizes come from a
short list, so that runs over different data meet the same compiled program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from numpy.typing import NDArray

from liminal.engine.training.encoding import Encoded


@struct.dataclass
class Batch:
    """What one forward pass reads.

    B rows, T tokens, N targets, M targets with a KL, S sequences, P pairs, U thumbs.

    tokens, positions, segments: int32 [B, T]; segment 0 is padding.
    lower: f32 [B, T, D], what enters the first layer that is adapted, or [0] where that is the first of all.
    adapters: int32 [B], each row's line in the gate table.
    state, target, sequence: int32 [N]: where in [B·T] the state is that predicts the token ``target``, and
      whose it is; sequence S marks padding, which sums drop.
    weight: f32 [N], of the target's NLL.
    kl_state, kl_reference, kl_owner: int32 [M], where the policy's and the base's states are, and the job.
    kl_weight: f32 [M].
    held_state, held_owner: int32 [H], where the states are that predict a token that is held to the base, and
      the job, J of padding; held_target: f32 [H, D], the head's row that the base expects there;
      held_entropy: f32 [H], of the base's distribution; held_weight: f32 [H].
    owner: int32 [S], the job. The last sequence is a dummy that padding may point at.
    reference: f32 [S], log-probability under the reference, unless ``twin``, int32 [S], is not negative: it
      names the sequence that runs the same tokens with the reference.
    chosen, rejected: int32 [P], sequences; pair_weight: f32 [P].
    judged: int32 [U], sequences; sign, judged_weight: f32 [U].
    """

    tokens: jax.Array
    positions: jax.Array
    segments: jax.Array
    lower: jax.Array
    adapters: jax.Array
    state: jax.Array
    target: jax.Array
    sequence: jax.Array
    weight: jax.Array
    kl_state: jax.Array
    kl_reference: jax.Array
    kl_owner: jax.Array
    kl_weight: jax.Array
    held_state: jax.Array
    held_owner: jax.Array
    held_target: jax.Array
    held_entropy: jax.Array
    held_weight: jax.Array
    owner: jax.Array
    reference: jax.Array
    twin: jax.Array
    chosen: jax.Array
    rejected: jax.Array
    pair_weight: jax.Array
    judged: jax.Array
    sign: jax.Array
    judged_weight: jax.Array


LowerOf = Callable[[Encoded], NDArray[np.float32]]
"""A sequence → what enters the first adapted layer, f32 [n, D]."""
ExpectedOf = Callable[[Encoded], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""A sequence → (the head's row that the base expects, entropy) where it is held, f32 [k, D] and [k]."""


def sizes(least: int) -> Iterator[int]:
    """least · 1, 1.5, 2, 3, 4, 6, 8, 12, …, in whole numbers: never more than half too large."""
    while True:
        yield least
        if least > 1:
            yield least + least // 2
        least *= 2


def size_above(number: int, least: int = 1) -> int:
    """The first of sizes(least) that is not below ``number``; 0 for 0."""
    return next(size for size in sizes(least) if size >= number) if number else 0


ATTENTION = 2048
"""Tokens of a row at which attention costs as much again as all the rest; a guess on the safe side."""
LONGEST_ROW = 512


def packed_length(lengths: Sequence[Sequence[int]], limit: int) -> int:
    """The row length in which sequences lie with the least work.

    lengths: of the sequences of each adapter. Rows as long as the longest sequence mostly hold one; longer
    rows have less padding, but their attention costs more. limit: tokens of a forward pass.
    """
    least = size_above(max((length for own in lengths for length in own), default=1), 64)
    most = max(least, min(LONGEST_ROW, limit))

    def cost(length: int) -> float:
        return sum(_rows_needed(own, length) for own in lengths) * length * (1 + length / ATTENTION)

    return min((size for size in takewhile(lambda size: size <= most, sizes(64)) if size >= least), key=cost)


def _rows_needed(lengths: Sequence[int], length: int) -> int:
    used: list[int] = []
    for size in sorted(lengths, reverse=True):
        row = next((index for index, taken in enumerate(used) if taken + size <= length), len(used))
        if row == len(used):
            used.append(0)
        used[row] += size
    return len(used)


@dataclass(frozen=True)
class Piece:
    """One sequence to be run with one line of the gate table."""

    sequence: Encoded
    line: int


@dataclass
class Rows:
    """Rows being filled, first fit. ``limit`` rows of ``length`` tokens; one sequence each if ``single``."""

    length: int
    limit: int | None = None
    single: bool = False
    lines: list[int] = field(default_factory=list[int])
    used: list[int] = field(default_factory=list[int])

    def place(self, pieces: Sequence[Piece]) -> list[tuple[int, int]] | None:
        """(row, offset) for every piece, or None, and nothing changed, when they do not all fit.

        An empty batch always takes the pieces, whatever its limit: they belong together.
        """
        lines, used = list(self.lines), list(self.used)
        slots: list[tuple[int, int]] = []
        for piece in pieces:
            size = len(piece.sequence)
            row = next(
                (
                    index
                    for index, (line, taken) in enumerate(zip(lines, used, strict=True))
                    if line == piece.line and taken + size <= self.length and not self.single
                ),
                len(lines),
            )
            if row == len(lines):
                lines.append(piece.line)
                used.append(0)
            slots.append((row, used[row]))
            used[row] += size
        if self.lines and self.limit is not None and len(lines) > self.limit:
            return None
        self.lines, self.used = lines, used
        return slots


@dataclass(frozen=True)
class Shape:
    """The sizes of a Batch: rows, tokens a row, targets, KL targets, sequences, pairs, thumbs."""

    rows: int
    length: int
    targets: int
    kl: int = 0
    sequences: int = 1
    pairs: int = 0
    thumbs: int = 0
    held: int = 0

    def over(self, other: Shape | None) -> Shape:
        """The sizes that hold both; lengths are equal."""
        if other is None:
            return self
        return Shape(*(max(mine, theirs) for mine, theirs in zip(self.values(), other.values(), strict=True)))

    def rounded(self) -> Shape:
        """The next sizes of the short list."""
        return Shape(
            rows=size_above(self.rows),
            length=self.length,
            targets=size_above(max(self.targets, 1), 128),
            kl=size_above(self.kl, 128),
            sequences=size_above(self.sequences, 16),
            # never none: so few cost nothing, and answers, pairs and thumbs run the same program
            pairs=size_above(max(self.pairs, 1), 8),
            thumbs=size_above(max(self.thumbs, 1), 8),
            held=size_above(self.held, 128),
        )

    def values(self) -> tuple[int, ...]:
        """The sizes in the order of the fields."""
        return (
            self.rows,
            self.length,
            self.targets,
            self.kl,
            self.sequences,
            self.pairs,
            self.thumbs,
            self.held,
        )


class BatchBuilder:
    """Collects placed sequences and what is asked of them, then writes the arrays."""

    def __init__(self, lower: LowerOf | None = None, expected: ExpectedOf | None = None) -> None:
        """``lower``: what enters the first adapted layer, of a sequence [n, D]; None where all layers run.

        ``expected``: what the base model says where a sequence is held to it.
        """
        self._lower = lower
        self._expected = expected
        self.held: list[tuple[NDArray[np.int32], Encoded, int, float]] = []
        self.placed: list[tuple[Encoded, int, int, int]] = []
        self.owners: list[int] = []
        self.references: list[float] = []
        self.twins: list[int] = []
        self.targets: list[tuple[NDArray[np.int32], NDArray[np.int32], int, float]] = []
        self.kl: list[tuple[NDArray[np.int32], NDArray[np.int32], int, float]] = []
        self.pairs: list[tuple[int, int, float]] = []
        self.thumbs: list[tuple[int, float, float]] = []
        self.row_lines: dict[int, int] = {}

    def sequence(
        self,
        piece: Piece,
        slot: tuple[int, int],
        length: int,
        owner: int,
        weight: float = 0.0,
        reference: float = 0.0,
        keep: float = 0.0,
    ) -> int:
        """Adds a placed sequence; returns its index. ``keep`` weighs what is held to the base."""
        index = len(self.owners)
        row, offset = slot
        self.placed.append((piece.sequence, row, offset, index))
        self.row_lines[row] = piece.line
        self.owners.append(owner)
        self.references.append(reference)
        self.twins.append(-1)
        at, kept = piece.sequence.learned, piece.sequence.kept
        self.targets.append((row * length + offset + at - 1, piece.sequence.tokens[at], index, weight))
        if len(kept):
            self.held.append((row * length + offset + kept - 1, piece.sequence, owner, keep))
        return index

    def base_kl(self, index: int, piece: Piece, slot: tuple[int, int], length: int, weight: float) -> None:
        """Adds the KL of sequence ``index`` to the base, whose run of the same tokens ``piece`` is."""
        row, offset = slot
        self.placed.append((piece.sequence, row, offset, index))
        self.row_lines[row] = piece.line
        at = np.flatnonzero(piece.sequence.learn).astype(np.int32)
        self.kl.append((self.targets[index][0], row * length + offset + at - 1, self.owners[index], weight))

    def build(self, shape: Shape, jobs: int = 1) -> Batch:
        """The arrays, padded to ``shape``; ``jobs``: how many there are."""
        dummy = shape.sequences - 1
        states, targets, indices, weights = _columns(self.targets, 4)
        kl_states, kl_references, kl_owners, kl_weights = _columns(self.kl, 4)
        return Batch(
            *self._rows(shape),
            state=_filled(states, shape.targets),
            target=_filled(targets, shape.targets),
            sequence=_filled(indices, shape.targets, shape.sequences),
            weight=_filled(weights, shape.targets, 0.0),
            kl_state=_filled(kl_states, shape.kl),
            kl_reference=_filled(kl_references, shape.kl),
            kl_owner=_filled(kl_owners, shape.kl),
            kl_weight=_filled(kl_weights, shape.kl, 0.0),
            **self._held_arrays(shape, jobs),
            owner=_filled(self.owners, shape.sequences),
            reference=_filled(self.references, shape.sequences, 0.0),
            twin=_filled(self.twins, shape.sequences, -1),
            chosen=_filled([pair[0] for pair in self.pairs], shape.pairs, dummy),
            rejected=_filled([pair[1] for pair in self.pairs], shape.pairs, dummy),
            pair_weight=_filled([pair[2] for pair in self.pairs], shape.pairs, 0.0),
            judged=_filled([thumb[0] for thumb in self.thumbs], shape.thumbs, dummy),
            sign=_filled([thumb[1] for thumb in self.thumbs], shape.thumbs, 1.0),
            judged_weight=_filled([thumb[2] for thumb in self.thumbs], shape.thumbs, 0.0),
        )

    def _held_arrays(self, shape: Shape, jobs: int) -> dict[str, jax.Array]:
        found = [self._expected(sequence) for _, sequence, _, _ in self.held] if self._expected else []
        lengths = [len(entropies) for _, entropies in found]
        width = found[0][0].shape[1] if found else 0
        target, entropy = np.zeros((shape.held, width), np.float32), np.zeros(shape.held, np.float32)
        if found:
            target[: sum(lengths)] = np.concatenate([rows for rows, _ in found])
            entropy[: sum(lengths)] = np.concatenate([entropies for _, entropies in found])
        states = np.concatenate([at for at, _, _, _ in self.held]) if found else []
        return {
            "held_state": _filled(states, shape.held),
            "held_owner": _filled(
                np.repeat([owner for _, _, owner, _ in self.held], lengths), shape.held, jobs
            ),
            "held_target": jnp.asarray(target),
            "held_entropy": jnp.asarray(entropy),
            "held_weight": _filled(
                np.repeat([weight for _, _, _, weight in self.held], lengths), shape.held, 0.0
            ),
        }

    def _rows(self, shape: Shape) -> tuple[jax.Array, ...]:
        tokens, positions, segments = (np.zeros((shape.rows, shape.length), np.int32) for _ in range(3))
        filled = [0] * shape.rows
        for sequence, row, offset, _ in self.placed:
            here = slice(offset, offset + len(sequence))
            filled[row] += 1
            tokens[row, here] = sequence.tokens
            positions[row, here] = np.arange(len(sequence))
            segments[row, here] = filled[row]
        lines = np.zeros(shape.rows, np.int32)
        for row, line in self.row_lines.items():
            lines[row] = line
        arrays = (tokens, positions, segments, self._lower_rows(shape), lines)
        return tuple(jnp.asarray(array) for array in arrays)

    def _lower_rows(self, shape: Shape) -> NDArray[np.float32]:
        if self._lower is None:
            return np.zeros(0, np.float32)
        found = [(self._lower(sequence), row, offset) for sequence, row, offset, _ in self.placed]
        rows = np.zeros((shape.rows, shape.length, found[0][0].shape[1]), np.float32)
        for states, row, offset in found:
            rows[row, offset : offset + len(states)] = states
        return rows


def _columns(
    entries: Sequence[tuple[NDArray[np.int32], NDArray[np.int32], int, float]], count: int
) -> tuple[NDArray[np.generic], ...]:
    if not entries:
        return tuple(np.zeros(0, np.int32) for _ in range(count))
    lengths = [len(entry[0]) for entry in entries]
    return (
        np.concatenate([entry[0] for entry in entries]),
        np.concatenate([entry[1] for entry in entries]),
        np.repeat([entry[2] for entry in entries], lengths),
        np.repeat([entry[3] for entry in entries], lengths),
    )


def _filled(values: Sequence[float] | NDArray[np.generic], size: int, rest: float = 0) -> jax.Array:
    kind = np.float32 if isinstance(rest, float) else np.int32
    out = np.full(size, rest, kind)
    out[: len(values)] = np.asarray(values, kind)
    return jnp.asarray(out)
