"""What enters the first layer that adapters change: the same in every step, so it is computed once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from liminal.engine.config import ModelConfig
from liminal.engine.model import embed, through_layers
from liminal.engine.params import Params
from liminal.engine.training.base import BaseModel
from liminal.engine.training.batch import Piece, Rows, packed_length
from liminal.engine.training.encoding import Encoded

PORTION_BYTES = 256 << 20
"""States that are held at once where each is needed for a moment only."""


class LowerStates:
    """States f32 [n, D] of many sequences, equal ones once."""

    def __init__(self, model: BaseModel, sequences: Sequence[Encoded], first: int, micro_tokens: int) -> None:
        """Runs the layers below ``first``; ``micro_tokens``: of one pass."""
        unique = {_key(sequence): sequence for sequence in sequences}
        self._states: dict[bytes, NDArray[np.float32]] = {}
        length = packed_length([list(map(len, unique.values()))], micro_tokens)
        limit = max(1, micro_tokens // length)
        for held in packed_batches(list(unique.values()), length, limit):
            states = np.asarray(_run(model.params, *packed_arrays(held, limit, length), model.config, first))
            for sequence, row, offset in held:
                # a copy: a slice would keep the whole batch
                self._states[_key(sequence)] = states[row, offset : offset + len(sequence)].copy()

    def of(self, sequence: Encoded) -> NDArray[np.float32]:
        """The states of one of the sequences."""
        return self._states[_key(sequence)]


def portions(sequences: Sequence[Encoded], width: int) -> Iterator[list[Encoded]]:
    """The sequences in their order, in portions whose states of ``width`` take at most PORTION_BYTES."""
    room = PORTION_BYTES // (4 * width)
    some: list[Encoded] = []
    for sequence in sequences:
        if some and sum(map(len, some)) + len(sequence) > room:
            yield some
            some = []
        some.append(sequence)
    if some:
        yield some


Held = list[tuple[Encoded, int, int]]
"""(sequence, row, offset)."""


def _key(sequence: Encoded) -> bytes:
    return sequence.tokens.tobytes()


def packed_batches(sequences: list[Encoded], length: int, limit: int) -> Iterator[Held]:
    """Sequences into batches of ``limit`` rows of ``length`` tokens, the longest first."""
    rows, held = Rows(length, limit), Held()
    for sequence in sorted(sequences, key=len, reverse=True):
        placed = rows.place([Piece(sequence, 0)])
        if placed is None:
            yield held
            rows, held = Rows(length, limit), Held()
            placed = rows.place([Piece(sequence, 0)]) or []
        held.append((sequence, *placed[0]))
    if held:
        yield held


def packed_arrays(held: Held, rows: int, length: int) -> tuple[jax.Array, ...]:
    """(tokens, positions, segments) of a batch, int32 [rows, length] each."""
    tokens, positions, segments = (np.zeros((rows, length), np.int32) for _ in range(3))
    for number, (sequence, row, offset) in enumerate(held, 1):
        here = slice(offset, offset + len(sequence))
        tokens[row, here] = sequence.tokens
        positions[row, here] = np.arange(len(sequence))
        segments[row, here] = number
    return tuple(jnp.asarray(array) for array in (tokens, positions, segments))


@partial(jax.jit, static_argnames=("config", "first"))
def _run(
    params: Params,
    tokens: jax.Array,
    positions: jax.Array,
    segments: jax.Array,
    config: ModelConfig,
    first: int,
) -> jax.Array:
    return through_layers(params, config, embed(params, tokens), positions, segments, last=first)
