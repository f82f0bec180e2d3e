"""Products with the vocabulary, in chunks of tokens: few logits are ever alive at once."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

CHUNK_BYTES = 32 << 20
"""Logits that are alive at once; more tokens are taken in chunks."""


def logits_of(states: jax.Array, head: jax.Array) -> jax.Array:
    """states [N, D], head [V, D] → f32 [N, V]."""
    return jnp.matmul(states, head.T, preferred_element_type=jnp.float32)


def chunk_size(vocabulary: int) -> int:
    """Tokens of a chunk."""
    return max(32, CHUNK_BYTES // (4 * vocabulary))


def chunked(
    function: Callable[..., tuple[jax.Array, ...]],
    vocabulary: int,
    *rows: jax.Array,
    used: jax.Array | None = None,
) -> tuple[jax.Array, ...]:
    """``function(*rows)`` over slices of the first axis.

    used: int32 [], how many of the rows count. Chunks behind them are not computed, and give zeros: arrays
    may be padded generously, so that few sizes are ever compiled.
    """
    count = rows[0].shape[0]
    size = min(chunk_size(vocabulary), max(count, 1))
    pieces = -(-count // size)
    if pieces <= 1 and used is None:
        return function(*rows)
    size = -(-count // max(pieces, 1))
    wide = [jnp.pad(row, [(0, pieces * size - count)] + [(0, 0)] * (row.ndim - 1)) for row in rows]
    shapes = jax.eval_shape(function, *(row[:size] for row in wide))
    whole = tuple(jnp.zeros((pieces * size, *part.shape[1:]), part.dtype) for part in shapes)

    def one(index: jax.Array, found: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        parts = function(*(jax.lax.dynamic_slice_in_dim(row, index * size, size) for row in wide))
        return tuple(
            jax.lax.dynamic_update_slice_in_dim(all_, part, index * size, 0)
            for all_, part in zip(found, parts, strict=True)
        )

    turns = pieces if used is None else (used + size - 1) // size
    return tuple(part[:count] for part in jax.lax.fori_loop(0, turns, one, whole))
