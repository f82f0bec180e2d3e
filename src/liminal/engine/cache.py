"""The slotted key-value cache, and the decoder's layers over it.

A slot is one sequence's row. Decoding advances the first rows of the cache by one token each;
prefill extends one row by a chunk. Attention walks the cache in blocks of BLOCK positions with an
online softmax (Milakov and Gimelshein 2018, arXiv:1805.02867; as in FlashAttention), so that one
compiled program serves every length and a row's result does not depend on how long the others are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax

from liminal.engine import kernels
from liminal.engine.config import ModelConfig
from liminal.engine.gpu_attention import decode_attention, supported
from liminal.engine.kernels.decoder import Rows, decoder_layers, layers_kernel
from liminal.engine.model import attend, embed, layer_forward, rms_norm, unembed
from liminal.engine.params import Gates, Lora, LoraPair, Params
from liminal.engine.rope import layer_angles
from liminal.engine.zeros import unwritten_zeros

BLOCK = 256
"""Positions that one step of attention looks at; the cache's length is a multiple of it."""


@struct.dataclass
class Cache:
    """Keys and values of every layer, each [slots, kv_heads, length, head_dim]."""

    keys: tuple[jax.Array, ...]
    values: tuple[jax.Array, ...]

    @property
    def length(self) -> int:
        """Positions of a slot."""
        return self.keys[0].shape[2]


def init_cache(config: ModelConfig, slots: int, length: int, dtype: Any = jnp.float32) -> Cache:
    """An empty cache; ``length`` is rounded up to whole blocks."""
    shape = (slots, config.kv_heads, -(-length // BLOCK) * BLOCK, config.head_dim)

    def empty() -> tuple[jax.Array, ...]:
        return tuple(unwritten_zeros(shape, dtype) for _ in range(config.layers))

    return Cache(empty(), empty())


Slice = Callable[[jax.Array, jax.Array], jax.Array]
"""(cache of a layer, block number) → that block of the rows in question, [B, K, BLOCK, H]."""


def block_attention(
    q: jax.Array,
    keys: jax.Array,
    values: jax.Array,
    block_of: Slice,
    positions: jax.Array,
    blocks: jax.Array,
    window: int | None,
) -> jax.Array:
    """Attention of q [B, T, N, H] at ``positions`` [B, T] over the first ``blocks`` blocks of a cache."""
    batch, length, heads, dim = q.shape
    kv_heads = keys.shape[1]
    groups = heads // kv_heads
    grouped = q.reshape(batch, length, kv_heads, groups, dim).transpose(0, 2, 3, 1, 4)  # [B, K, G, T, H]
    grouped = grouped.reshape(batch, kv_heads, groups * length, dim) * jnp.asarray(dim**-0.5, q.dtype)
    offsets = jnp.arange(BLOCK)

    def visible(number: jax.Array) -> jax.Array:
        at = number * BLOCK + offsets
        mask = at <= positions[:, :, None]
        if window is not None:
            mask &= positions[:, :, None] - at < window
        mask = jnp.broadcast_to(mask[:, None, None], (batch, 1, groups, length, BLOCK))
        return mask.reshape(batch, 1, groups * length, BLOCK)

    def body(number: jax.Array, carry: tuple[jax.Array, jax.Array, jax.Array]) -> Any:
        top, total, mixed = carry
        k, v = block_of(keys, number), block_of(values, number)
        scores = jnp.einsum("bkqh,bksh->bkqs", grouped, k, preferred_element_type=jnp.float32)
        scores = jnp.where(visible(number), scores, -1e30)
        highest = jnp.maximum(top, scores.max(-1))
        weights = jnp.exp(scores - highest[..., None])
        decay = jnp.exp(top - highest)
        part = jnp.einsum("bkqs,bksh->bkqh", weights.astype(v.dtype), v, preferred_element_type=jnp.float32)
        return highest, total * decay + weights.sum(-1), mixed * decay[..., None] + part

    shape = (batch, kv_heads, groups * length)
    start = (
        jnp.full(shape, -1e30, jnp.float32),
        jnp.zeros(shape, jnp.float32),
        jnp.zeros((*shape, dim), jnp.float32),
    )
    _, total, mixed = lax.fori_loop(0, blocks, body, start)
    out = (mixed / total[..., None]).astype(q.dtype).reshape(batch, kv_heads, groups, length, dim)
    return out.transpose(0, 3, 1, 2, 4).reshape(batch, length, heads, dim)


def whole_attention(
    q: jax.Array, keys: jax.Array, values: jax.Array, positions: jax.Array, window: int | None
) -> jax.Array:
    """As block_attention, but over all of keys and values [B, K, L, H] at once.

    For accelerators, where a loop of unknown length costs a round trip to the host at every turn.
    """
    at = jnp.arange(keys.shape[2])
    mask = at <= positions[:, :, None]
    if window is not None:
        mask &= positions[:, :, None] - at < window
    return attend(q, keys, values, mask[:, None, None])


Store = Callable[[jax.Array, jax.Array], jax.Array]
"""(cache of a layer, new [B, T, K, H]) → the cache with the new positions written."""


def _extend(
    params: Params,
    config: ModelConfig,
    cache: Cache,
    tokens: jax.Array,
    positions: jax.Array,
    blocks: jax.Array,
    slots: jax.Array,
    count: jax.Array,
    store: Store,
    block_of: Slice,
    rows_of: Callable[[jax.Array], jax.Array],
    lora: Lora | None,
    gates: Gates | None,
) -> tuple[jax.Array, Cache]:
    """Hidden states [B, T, D] of new tokens, and the cache that includes them."""
    rotations = layer_angles(config, positions)
    x = embed(params, tokens)
    if lora is None and (name := layers_kernel(params, config)):
        flat = [each.reshape(-1, *each.shape[2:]) for each in (x, *rotations[0], slots, positions)]
        given = Rows(flat[0], flat[1], flat[2], flat[3], flat[4], count)
        own, *sides = decoder_layers(name, params, config, given, (cache.keys, cache.values))
        return own.reshape(x.shape), Cache(*sides)
    keys, values = list(cache.keys), list(cache.values)
    for index, layer in enumerate(params.layers):

        def attention(q: jax.Array, k: jax.Array, v: jax.Array, index: int = index) -> jax.Array:
            keys[index], values[index] = store(keys[index], k), store(values[index], v)
            window = config.windows[index]
            if tokens.shape[1] == 1 and kernels.fits_attention(q[:, 0], keys[index]):
                one = kernels.decode_attention(q[:, 0], keys[index], values[index], positions[:, 0], window)
                return one[:, None]
            if jax.default_backend() == "cpu":
                return block_attention(q, keys[index], values[index], block_of, positions, blocks, window)
            if tokens.shape[1] == 1 and supported(keys[index]):
                one = decode_attention(q[:, 0], keys[index], values[index], positions[:, 0], window)
                return one[:, None]
            return whole_attention(q, rows_of(keys[index]), rows_of(values[index]), positions, window)

        rows = None if lora is None else lora[index]
        x = layer_forward(layer, config, index, x, rotations[index], attention, rows, gates)
    return x, Cache(tuple(keys), tuple(values))


def decode_step(
    params: Params,
    config: ModelConfig,
    cache: Cache,
    tokens: jax.Array,
    positions: jax.Array,
    blocks: jax.Array,
    lora: Lora | None = None,
    gates: Gates | None = None,
) -> tuple[jax.Array, Cache]:
    """Advance the first B slots by one token each.

    tokens, positions: int32 [B]; a slot that does not take part gives the last position of the
      cache, which nothing ever attends to. blocks: int32 scalar, blocks that hold attended positions.
    Returns (logits f32 [B, V], cache).
    """
    batch = tokens.shape[0]
    rows = jnp.arange(batch)

    def store(layer: jax.Array, new: jax.Array) -> jax.Array:
        return layer.at[rows, :, positions].set(new[:, 0])

    def block_of(layer: jax.Array, number: jax.Array) -> jax.Array:
        _, heads, _, dim = layer.shape
        return lax.dynamic_slice(layer, (0, 0, number * BLOCK, 0), (batch, heads, BLOCK, dim))

    def rows_of(layer: jax.Array) -> jax.Array:
        return layer[:batch]

    x, cache = _extend(
        params, config, cache, tokens[:, None], positions[:, None], blocks, rows[:, None].astype(jnp.int32),
        jnp.int32(batch), store, block_of, rows_of, lora, gates,
    )  # fmt: skip
    return unembed(params, rms_norm(x[:, 0], params.norm, config.norm_eps)), cache


def prefill_chunk(
    params: Params,
    config: ModelConfig,
    cache: Cache,
    tokens: jax.Array,
    slot: jax.Array,
    start: jax.Array,
    count: jax.Array,
    lora: Lora | None = None,
    gates: Gates | None = None,
) -> tuple[jax.Array, Cache]:
    """Extend one slot by a chunk of its prompt.

    tokens: int32 [C], the first ``count`` of them real; start: position of the first. The caller
      keeps start + C within the cache.
    Returns (logits f32 [1, V] after the last real token, cache).
    """
    length = tokens.shape[0]
    positions = start + jnp.arange(length, dtype=jnp.int32)[None]
    blocks = (start + count + BLOCK - 1) // BLOCK

    def store(layer: jax.Array, new: jax.Array) -> jax.Array:
        return lax.dynamic_update_slice(layer, new.swapaxes(1, 2), (slot, 0, start, 0))

    def block_of(layer: jax.Array, number: jax.Array) -> jax.Array:
        _, heads, _, dim = layer.shape
        return lax.dynamic_slice(layer, (slot, 0, number * BLOCK, 0), (1, heads, BLOCK, dim))

    def rows_of(layer: jax.Array) -> jax.Array:
        return lax.dynamic_slice_in_dim(layer, slot, 1)

    x, cache = _extend(
        params, config, cache, tokens[None], positions, blocks, jnp.broadcast_to(slot, positions.shape),
        count, store, block_of, rows_of, lora, gates,
    )  # fmt: skip
    last = lax.dynamic_slice(x, (0, count - 1, 0), (1, 1, x.shape[-1]))[:, 0]
    return unembed(params, rms_norm(last, params.norm, config.norm_eps)), cache


def move_slot(cache: Cache, source: jax.Array, target: jax.Array) -> Cache:
    """Copy one slot over another."""

    def move(layer: jax.Array) -> jax.Array:
        return lax.dynamic_update_index_in_dim(
            layer, lax.dynamic_index_in_dim(layer, source, 0, keepdims=False), target, 0
        )

    return jax.tree.map(move, cache)


def read_span(cache: Cache, slot: jax.Array, start: jax.Array, length: int) -> jax.Array:
    """Keys and values of ``length`` positions of a slot: [2, layers, kv_heads, length, head_dim]."""

    def read(layer: jax.Array) -> jax.Array:
        _, heads, _, dim = layer.shape
        return lax.dynamic_slice(layer, (slot, 0, start, 0), (1, heads, length, dim))[0]

    return jnp.stack([jnp.stack([read(x) for x in cache.keys]), jnp.stack([read(x) for x in cache.values])])


def write_span(cache: Cache, slot: jax.Array, start: jax.Array, span: jax.Array) -> Cache:
    """Put what read_span gave into a slot."""

    def write(layers: tuple[jax.Array, ...], part: jax.Array) -> tuple[jax.Array, ...]:
        return tuple(
            lax.dynamic_update_slice(layer, part[index][None], (slot, 0, start, 0))
            for index, layer in enumerate(layers)
        )

    return Cache(write(cache.keys, span[0]), write(cache.values, span[1]))


def gather_rows(lora: Lora, rows: jax.Array) -> Lora:
    """The chosen rank rows [K] of a bank, for batches that use few of them."""
    return tuple(
        {name: LoraPair(pair.a[rows], pair.b[rows]) for name, pair in layer.items()} for layer in lora
    )
