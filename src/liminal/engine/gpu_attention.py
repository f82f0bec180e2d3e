"""One token's attention over the cache, as a kernel for GPUs (Triton, through Pallas).

XLA walks a loop of unknown length from the host, a round trip for every block, and copies what it slices
out of the cache. Here every (row, key-value head) reads its own positions once, and those only; long rows of
small batches are split between programs and joined afterwards (flash-decoding).
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

STEP = 64
"""Positions that a program looks at at a time."""

ROWS = 16
"""Least rows of a matrix product on tensor cores: the queries of a key-value head are padded to them."""

PROGRAMS = 512
"""About as many programs as fill a large GPU."""

FLOOR = -1e30


def supported(cache: jax.Array) -> bool:
    """Whether the kernel can read this cache [slots, K, L, H]: half precision, H a power of two, one GPU.

    XLA cannot divide a kernel between devices.
    """
    dim = cache.shape[3]
    alone = jax.default_backend() == "gpu" and jax.device_count() == 1
    return alone and cache.dtype.itemsize == 2 and dim >= 16 and dim & (dim - 1) == 0


def decode_attention(
    q: jax.Array,
    keys: jax.Array,
    values: jax.Array,
    positions: jax.Array,
    window: int | None,
    interpret: bool = False,
) -> jax.Array:
    """q [B, N, H] at ``positions`` int32 [B] over the first B slots of a cache → [B, N, H].

    keys, values: [slots, K, L, H], as ``supported`` says. interpret: run without a GPU, slowly.
    A row at the cache's last position takes no part and gives zeros. L is a multiple of STEP.
    """
    batch, heads, dim = q.shape
    kv_heads, length = keys.shape[1:3]
    groups = heads // kv_heads
    rows = max(ROWS, 1 << (groups - 1).bit_length())
    grouped = q.reshape(batch, kv_heads, groups, dim) * jnp.asarray(dim**-0.5, q.dtype)
    grouped = jnp.pad(grouped, ((0, 0), (0, 0), (0, rows - groups), (0, 0)))
    splits = max(1, min(PROGRAMS // (batch * kv_heads), length // (2 * STEP)))

    shape = (batch, kv_heads, splits, rows)
    top, total, mixed = pl.pallas_call(
        functools.partial(_kernel, splits=splits, window=window, length=length),
        grid=(batch, kv_heads, splits),
        in_specs=[
            _block(1),
            _block(2, rows, dim),
            _block(2, length, dim),
            _block(2, length, dim),
        ],
        out_specs=[_block(3, rows), _block(3, rows), _block(3, rows, dim)],
        out_shape=[
            jax.ShapeDtypeStruct(shape, jnp.float32),
            jax.ShapeDtypeStruct(shape, jnp.float32),
            jax.ShapeDtypeStruct((*shape, dim), jnp.float32),
        ],
        compiler_params=triton.CompilerParams(num_warps=4, num_stages=3),
        interpret=interpret,
        name="decode_attention",
    )(positions, grouped, keys, values)
    weights = jnp.exp(top - top.max(2, keepdims=True))
    joined = (mixed * weights[..., None]).sum(2) / jnp.maximum((total * weights).sum(2), 1e-30)[..., None]
    return joined[:, :, :groups].reshape(batch, heads, dim).astype(q.dtype)


def _block(axes: int, *sizes: int) -> pl.BlockSpec:
    """What a program sees of an array [batch, kv_heads, splits][:axes] + sizes: its own part."""

    def index(*program: Any) -> tuple[Any, ...]:
        return (*program[:axes], *(0 for _ in sizes))

    return pl.BlockSpec((*(None for _ in range(axes)), *sizes), index)


def _kernel(
    at: Any, q_of: Any, keys: Any, values: Any, top_of: Any, total_of: Any, mixed_of: Any,
    *, splits: int, window: int | None, length: int,
) -> None:  # fmt: skip
    position = at[...]
    first = 0 if window is None else jnp.maximum(position - window + 1, 0) // STEP
    last = jnp.where(position == length - 1, first, position // STEP + 1)
    share = (last - first + splits - 1) // splits
    begin = first + pl.program_id(2) * share
    q = q_of[...]
    rows, dim = q.shape

    def body(number: Any, carry: Any) -> Any:
        top, total, mixed = carry
        span = pl.ds(number * STEP, STEP)
        offsets = number * STEP + jnp.arange(STEP)
        scores = triton.dot(q, keys[span, :], trans_b=True)
        seen = offsets <= position
        if window is not None:
            seen &= position - offsets < window
        scores = jnp.where(seen[None, :], scores, FLOOR)
        highest = jnp.maximum(top, scores.max(1))
        weights = jnp.exp(scores - highest[:, None])
        decay = jnp.exp(top - highest)
        part = triton.dot(weights.astype(q.dtype), values[span, :])
        return highest, total * decay + weights.sum(1), mixed * decay[:, None] + part

    start = (
        jnp.full((rows,), FLOOR, jnp.float32),
        jnp.zeros((rows,), jnp.float32),
        jnp.zeros((rows, dim), jnp.float32),
    )
    top, total, mixed = jax.lax.fori_loop(begin, jnp.minimum(begin + share, last), body, start)
    top_of[...], total_of[...], mixed_of[...] = top, total, mixed
