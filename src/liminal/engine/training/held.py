"""What the base model says where answers are held to it: a row a token instead of a whole distribution."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from liminal.engine.config import ModelConfig
from liminal.engine.model import embed, rms_norm, through_layers
from liminal.engine.params import Params
from liminal.engine.training.base import BaseModel
from liminal.engine.training.batch import LowerOf, packed_length, size_above
from liminal.engine.training.encoding import Encoded
from liminal.engine.training.losses import expected_rows, head_weight
from liminal.engine.training.lower import Held, packed_arrays, packed_batches


class BaseTargets:
    """Expected rows of the head f32 [k, D] and entropies f32 [k] of sequences, equal ones once.

    They are as large as the hidden states, whatever the vocabulary: see losses.expected_nll.
    """

    def __init__(
        self,
        model: BaseModel,
        sequences: Sequence[Encoded],
        first: int,
        lower: LowerOf | None,
        micro_tokens: int,
    ) -> None:
        """``first``, ``lower``: the layer to begin at, and what enters it; ``micro_tokens``: of one pass."""
        read = [sequence.read_by_base for sequence in sequences]
        unique = {_key(sequence): sequence for sequence in read}
        self._found: dict[bytes, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
        length = packed_length([list(map(len, unique.values()))], micro_tokens)
        limit = max(1, micro_tokens // length)
        batches = list(packed_batches(list(unique.values()), length, limit))
        most = size_above(max(sum(len(one.kept) for one, _, _ in held) for held in batches), 128)
        for held in batches:
            at = np.concatenate([row * length + offset + one.kept - 1 for one, row, offset in held])
            places = jnp.asarray(np.pad(at, (0, most - len(at))).astype(np.int32))
            entering = None if lower is None else jnp.asarray(_entering(held, lower, limit, length))
            used = jnp.int32(len(at))
            arrays = packed_arrays(held, limit, length)
            rows, entropies = map(
                np.asarray, _run(model.params, *arrays, entering, places, used, model.config, first)
            )
            start = 0
            for sequence, _, _ in held:
                here = slice(start, start + len(sequence.kept))
                self._found[_key(sequence)] = (rows[here].copy(), entropies[here].copy())
                start = here.stop

    def of(self, sequence: Encoded) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(rows, entropies) where one of the sequences is held."""
        return self._found[_key(sequence.read_by_base)]


def _key(sequence: Encoded) -> bytes:
    return sequence.tokens.tobytes() + sequence.kept.tobytes()


def _entering(held: Held, lower: LowerOf, rows: int, length: int) -> NDArray[np.float32]:
    found = [(lower(sequence), row, offset) for sequence, row, offset in held]
    states = np.zeros((rows, length, found[0][0].shape[1]), np.float32)
    for own, row, offset in found:
        states[row, offset : offset + len(own)] = own
    return states


@partial(jax.jit, static_argnames=("config", "first"))
def _run(
    params: Params,
    tokens: jax.Array,
    positions: jax.Array,
    segments: jax.Array,
    entering: jax.Array | None,
    places: jax.Array,
    used: jax.Array,
    config: ModelConfig,
    first: int,
) -> tuple[jax.Array, jax.Array]:
    states = embed(params, tokens) if entering is None else entering
    states = through_layers(params, config, states, positions, segments, first=first)
    states = rms_norm(states, params.norm, config.norm_eps)
    return expected_rows(states.reshape(-1, states.shape[-1])[places], head_weight(params), used)
