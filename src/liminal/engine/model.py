"""The decoder as pure functions over a parameter tree.

``forward`` is the whole sequence at once (training, scoring, the yardstick of every cache test);
``liminal.engine.cache`` has the same layers over a key-value cache. Shapes: B batch, T tokens,
D hidden, N query heads, K key-value heads, G = N/K, H head_dim, R rank rows, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from liminal.engine import kernels
from liminal.engine.blocks import widen_all, widen_rows
from liminal.engine.config import ModelConfig
from liminal.engine.params import PAGE, Gates, Layer, Linear, Lora, LoraPair, PageGates, Params
from liminal.engine.rope import layer_angles, rotate

QUERY_BLOCKS, LEAST_BLOCK = 4, 128
"""Blocks of queries in a whole sequence's attention, and their least size."""

Attend = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
"""(q [B, T, N, H], k [B, T, K, H], v [B, T, K, H]) → mixed values [B, T, N, H]."""


def linear(p: Linear, x: jax.Array) -> jax.Array:
    """x [..., in] → [..., out], through a weight in floats, int8 or blocks."""
    return linears([p], x)[0]


def linears(parts: Sequence[Linear], x: jax.Array) -> list[jax.Array]:
    """As ``linear`` for all linears of one x; weights in blocks are multiplied in one call."""
    rows = x.reshape(-1, x.shape[-1])
    found: list[jax.Array] = []
    for p, y in zip(parts, _products(parts, rows), strict=True):
        if p.bias is not None:
            y = y + p.bias
        found.append(y.reshape(*x.shape[:-1], y.shape[-1]).astype(x.dtype))
    return found


def _products(parts: Sequence[Linear], rows: jax.Array) -> list[jax.Array]:
    blocks = [(p.weight, p.form) for p in parts if p.form is not None]
    if len(blocks) == len(parts):
        own = kernels.block_products(rows.astype(jnp.float32), blocks, kernels.byte_products())
        return own or [_matmul(widen_all(packed, form), rows) for packed, form in blocks]
    if blocks:
        return [_products([p], rows)[0] for p in parts]
    return [
        _matmul(p.weight, rows) if p.scale is None else _int8_matmul(p.weight, p.scale, rows) for p in parts
    ]


def _matmul(weight: jax.Array, rows: jax.Array) -> jax.Array:
    if jax.default_backend() != "cpu":
        return rows @ weight.astype(rows.dtype).T
    product = weight.astype(rows.dtype) @ rows.T
    if 2 <= rows.shape[0] <= 16:
        # keeps XLA from folding the transposition into the product, whose kernel for a few rows is
        # then a quarter slower
        product = jax.lax.optimization_barrier(product)
    return product.T


def _int8_matmul(weight: jax.Array, scale: jax.Array, rows: jax.Array) -> jax.Array:
    """Weight-only int8: each activation row is a high and a low int8 part (15 bits together).

    The products are exact in int32, so the only error beside the weight's own is 2^-15 of a row's
    largest value. Two int8 products cost far less than one in f32 where int8 dot instructions exist.
    """
    step = jnp.maximum(jnp.max(jnp.abs(rows), axis=-1, keepdims=True).astype(jnp.float32), 1e-30) / 127.0
    exact = rows.astype(jnp.float32) / step
    high = jnp.round(exact)
    low = jnp.round((exact - high) * 254.0)
    both = jnp.concatenate([high, low]).astype(jnp.int8)
    if kernels.fits_int8(both, weight):
        product = kernels.int8_product(both, weight)
    else:
        product = jax.lax.dot_general(
            both, weight, (((1,), (1,)), ((), ())), preferred_element_type=jnp.int32
        )
    product, count = product.astype(jnp.float32), rows.shape[0]
    return (product[:count] + product[count:] * (1.0 / 254.0)) * step * scale


def lora_delta(pair: LoraPair, x: jax.Array, gates: Gates) -> jax.Array:
    """Σ over rank rows: ((x @ a.T) * gates) @ b. x [B, T, in] → [B, T, out].

    A gate of zero silences its row whatever the row computes, so that no batch row can be disturbed
    by an adapter that it does not use. PageGates are for T = 1: every page then multiplies one
    vector instead of the whole batch.
    """
    batch, length, inner = x.shape
    a, b = pair.a.astype(x.dtype), pair.b.astype(x.dtype)
    # flattened to two axes: XLA's CPU matrix product is up to twice as slow over three
    rows = x.reshape(-1, inner)
    if isinstance(gates, PageGates):
        if kernels.fits_pages(rows, pair):
            return kernels.page_product(rows, pair, gates)[:, None, :]
        z = jnp.einsum("pi,pri->pr", rows[gates.owner], a.reshape(-1, PAGE, inner))
        z = _gated(z, gates.gates)
        y = jnp.einsum("pr,pro->po", z, b.reshape(*gates.gates.shape, -1))
        y = jnp.where(jnp.isfinite(y), y, 0)
        mine = (gates.owner[None, :] == jnp.arange(batch)[:, None]).astype(x.dtype)  # [B, pages]
        return (mine @ y)[:, None, :]
    z = _gated((rows @ a.T).reshape(batch, length, -1), gates[:, None, :])
    return (z.reshape(batch * length, -1) @ b).reshape(batch, length, -1)


def _gated(z: jax.Array, gates: jax.Array) -> jax.Array:
    return jnp.where(gates != 0, z * gates.astype(z.dtype), 0)


def adapted(
    p: Linear, name: str, x: jax.Array, lora: Mapping[str, LoraPair] | None, gates: Gates | None
) -> jax.Array:
    """``linear`` plus the rank rows of that linear, if there are any. x [B, T, in] → [B, T, out]."""
    return adapted_all([p], [name], x, lora, gates)[0]


def adapted_all(
    parts: Sequence[Linear],
    names: Sequence[str],
    x: jax.Array,
    lora: Mapping[str, LoraPair] | None,
    gates: Gates | None,
) -> list[jax.Array]:
    """As ``adapted`` for all linears of one x."""
    found = linears(parts, x)
    if lora is None or gates is None:
        return found
    return [
        y + lora_delta(lora[name], x, gates) if name in lora else y
        for name, y in zip(names, found, strict=True)
    ]


def rms_norm(x: jax.Array, weight: jax.Array, eps: float) -> jax.Array:
    """Root-mean-square normalisation over the last axis, in f32."""
    wide = x.astype(jnp.float32)
    scaled = wide * jax.lax.rsqrt(jnp.mean(wide * wide, axis=-1, keepdims=True) + eps)
    return scaled.astype(x.dtype) * weight


def attend(q: jax.Array, k: jax.Array, v: jax.Array, mask: jax.Array) -> jax.Array:
    """Grouped-query attention with softmax in f32.

    q [B, T, N, H]; k and v [B, K, S, H]; mask bool, broadcastable to [B, 1, 1, T, S] → [B, T, N, H].
    A query with nothing to attend to gives the mean of v, never NaN.
    """
    batch, length, heads, dim = q.shape
    kv_heads, span = k.shape[1], k.shape[2]
    groups = heads // kv_heads
    # heads of a group become rows of one product: plain batched matrices are what CPU kernels are fast at
    rows = q.reshape(batch, length, kv_heads, groups, dim).transpose(0, 2, 3, 1, 4)
    rows = rows.reshape(batch, kv_heads, groups * length, dim)
    scores = jnp.einsum("bkqh,bksh->bkqs", rows, k, preferred_element_type=jnp.float32)
    scores = scores.reshape(batch, kv_heads, groups, length, span) * dim**-0.5
    scores = scores + jnp.where(mask, 0.0, jnp.finfo(jnp.float32).min)
    weights = jnp.exp(scores - jax.lax.stop_gradient(scores.max(axis=-1, keepdims=True)))
    flat = weights.reshape(batch, kv_heads, groups * length, span).astype(v.dtype)
    mixed = jnp.einsum("bkqs,bksh->bkqh", flat, v, preferred_element_type=jnp.float32)
    # dividing after the product saves a pass over [T, S]
    mixed = mixed.reshape(batch, kv_heads, groups, length, dim) / weights.sum(axis=-1)[..., None]
    return mixed.transpose(0, 3, 1, 2, 4).reshape(batch, length, heads, dim).astype(q.dtype)


def attend_causal(q: jax.Array, k: jax.Array, v: jax.Array, mask: jax.Array) -> jax.Array:
    """``attend`` where no query sees a later key: mask [B, 1, 1, T, T] is lower triangular.

    Queries go in up to QUERY_BLOCKS blocks, each against the keys up to its end: of four blocks' scores
    three eighths are never computed.
    """
    length = q.shape[1]
    block = max(LEAST_BLOCK, -(-length // QUERY_BLOCKS))
    if length <= block:
        return attend(q, k, v, mask)
    parts: list[jax.Array] = []
    for start in range(0, length, block):
        end = min(start + block, length)
        parts.append(attend(q[:, start:end], k[:, :, :end], v[:, :, :end], mask[..., start:end, :end]))
    return jnp.concatenate(parts, axis=1)


def layer_forward(
    layer: Layer,
    config: ModelConfig,
    index: int,
    x: jax.Array,
    rotation: tuple[jax.Array, jax.Array],
    attention: Attend,
    lora: Mapping[str, LoraPair] | None,
    gates: Gates | None,
) -> jax.Array:
    """One decoder layer over x [B, T, D]; ``attention`` decides what the queries see."""
    batch, length, _ = x.shape

    def heads(y: jax.Array) -> jax.Array:
        return y.reshape(batch, length, -1, config.head_dim)

    h = rms_norm(x, layer.input_norm, config.norm_eps)
    parts = [layer.q_proj, layer.k_proj, layer.v_proj]
    q, k, v = map(heads, adapted_all(parts, ("q_proj", "k_proj", "v_proj"), h, lora, gates))
    if layer.q_norm is not None and layer.k_norm is not None:
        q = rms_norm(q, layer.q_norm, config.norm_eps)
        k = rms_norm(k, layer.k_norm, config.norm_eps)
    if config.query_scale != 1.0:
        q = q * jnp.asarray(config.query_scale, q.dtype)
    if config.rotary[index]:
        q, k = rotate(q, *rotation), rotate(k, *rotation)
    mixed = attention(q, k, v).reshape(batch, length, config.heads * config.head_dim)
    x = x + _out(adapted(layer.o_proj, "o_proj", mixed, lora, gates), layer.attention_out_norm, config)
    h = rms_norm(x, layer.post_norm, config.norm_eps)
    gate, up = adapted_all([layer.gate_proj, layer.up_proj], ("gate_proj", "up_proj"), h, lora, gates)
    down = adapted(layer.down_proj, "down_proj", _activation(gate, config) * up, lora, gates)
    return x + _out(down, layer.mlp_out_norm, config)


def _out(y: jax.Array, norm: jax.Array | None, config: ModelConfig) -> jax.Array:
    return y if norm is None else rms_norm(y, norm, config.norm_eps)


def _activation(gate: jax.Array, config: ModelConfig) -> jax.Array:
    return jax.nn.silu(gate) if config.activation == "silu" else jax.nn.gelu(gate, approximate=True)


def embed(params: Params, tokens: jax.Array) -> jax.Array:
    """Token embeddings: int32 [...] → [..., D]; a table in int8 or blocks is dequantised row by row."""
    rows = _looked_up(params, tokens)
    return rows if params.embed_scale == 1.0 else rows * jnp.asarray(params.embed_scale, rows.dtype)


def _looked_up(params: Params, tokens: jax.Array) -> jax.Array:
    if params.embed.form is not None:
        return widen_rows(params.embed.weight, params.embed.form, tokens).astype(params.norm.dtype)
    rows = params.embed.weight[tokens]
    if params.embed.scale is None:
        return rows
    return rows.astype(params.norm.dtype) * params.embed.scale[tokens][..., None].astype(params.norm.dtype)


def unembed(params: Params, hidden: jax.Array) -> jax.Array:
    """Final-norm hidden states [..., D] → logits f32 [..., V]."""
    return linear(params.head or params.embed, hidden).astype(jnp.float32)


def segment_mask(segments: jax.Array, positions: jax.Array, window: int | None) -> jax.Array:
    """bool [B, 1, 1, T, T]: causal, within one non-zero segment, and within the window if there is one."""
    length = segments.shape[1]
    causal = jnp.arange(length)[:, None] >= jnp.arange(length)[None, :]
    same = (segments[:, :, None] == segments[:, None, :]) & (segments[:, None, :] != 0)
    mask = causal[None] & same
    if window is not None:
        mask &= positions[:, :, None] - positions[:, None, :] < window
    return mask[:, None, None]


def through_layers(
    params: Params,
    config: ModelConfig,
    x: jax.Array,
    positions: jax.Array,
    segments: jax.Array,
    *,
    first: int = 0,
    last: int | None = None,
    lora: Lora | None = None,
    gates: Gates | None = None,
    remat: bool = False,
) -> jax.Array:
    """x [B, T, D], what enters layer ``first``, through the layers up to ``last`` (all that follow).

    The other arguments are those of hidden_states. Layers below the first adapter give the same in every
    pass: a trainer takes what leaves them from an earlier one.
    """
    rotations = layer_angles(config, positions)
    masks = {window: segment_mask(segments, positions, window) for window in set(config.windows)}
    for index, layer in list(enumerate(params.layers))[first:last]:

        def body(
            layer: Layer, x: jax.Array, rows: Mapping[str, LoraPair] | None, index: int = index
        ) -> jax.Array:
            mask = masks[config.windows[index]]

            def attention(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
                return attend_causal(q, k.swapaxes(1, 2), v.swapaxes(1, 2), mask)

            return layer_forward(layer, config, index, x, rotations[index], attention, rows, gates)

        step = jax.checkpoint(body) if remat else body
        x = step(layer, x, None if lora is None else lora[index])
    return x


def hidden_states(
    params: Params,
    config: ModelConfig,
    tokens: jax.Array,
    *,
    positions: jax.Array | None = None,
    segments: jax.Array | None = None,
    lora: Lora | None = None,
    gates: Gates | None = None,
    remat: bool = False,
) -> jax.Array:
    """Final-norm hidden states [B, T, D] of whole sequences.

    tokens: int32 [B, T].
    positions: int32 [B, T]; by default 0, 1, 2, … within each row.
    segments: int32 [B, T], 0 for padding; tokens see only earlier tokens of their own segment, so
      padding is [1, 1, 1, 0] and packing is [1, 1, 2, 2] (give positions that restart too).
    lora, gates: rank rows of one bank and each batch row's gates [B, R]; both or neither.
    remat: recompute each layer in the backward pass to save memory.
    """
    batch, length = tokens.shape
    if positions is None:
        positions = jnp.broadcast_to(jnp.arange(length, dtype=jnp.int32), (batch, length))
    if segments is None:
        segments = jnp.ones((batch, length), jnp.int32)
    if (lora is None) != (gates is None):
        raise ValueError("lora and gates come together")
    x = through_layers(
        params, config, embed(params, tokens), positions, segments, lora=lora, gates=gates, remat=remat
    )
    return rms_norm(x, params.norm, config.norm_eps)


def forward(
    params: Params,
    config: ModelConfig,
    tokens: jax.Array,
    *,
    positions: jax.Array | None = None,
    segments: jax.Array | None = None,
    lora: Lora | None = None,
    gates: Gates | None = None,
    remat: bool = False,
) -> jax.Array:
    """Logits f32 [B, T, V] of whole sequences; arguments as in hidden_states.

    Pure and traceable: jit it with ``config`` closed over or static. Gradients flow to params and
    lora alike; freeze by differentiating only what should learn.
    """
    states = hidden_states(
        params, config, tokens, positions=positions, segments=segments, lora=lora, gates=gates, remat=remat
    )
    return unembed(params, states)
