"""The forward pass for pre-training: every product of matrices in bf16 with f32 sums.

Made for CPUs that multiply bf16 (AVX-512 BF16, AMX), where XLA is two to five times faster than in f32,
but only if the left matrix is contracted over its last axis, and where a transposition costs more than
a product. So activations are columns [features, positions], and every product, forward and backward,
has that form; without such a CPU it is right and slower. The engine's forward is the one that serves; a
test holds this one against it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp

Weights = dict[str, jax.Array]
"""Parameters under their Hugging Face names; matrices [out, in], f32."""


@dataclass(frozen=True)
class Shape:
    """The sizes of the bundled Llama."""

    vocabulary: int = 2048
    hidden: int = 192
    inner: int = 512
    layers: int = 4
    heads: int = 3
    kv_heads: int = 3
    head_dim: int = 64
    max_positions: int = 2048
    norm_eps: float = 1e-5
    rope_theta: float = 10000.0


def matrices(shape: Shape) -> dict[str, tuple[int, int]]:
    """[out, in] of every matrix of the layers, by Hugging Face name."""
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    sizes = {
        "self_attn.q_proj": (q, shape.hidden),
        "self_attn.k_proj": (kv, shape.hidden),
        "self_attn.v_proj": (kv, shape.hidden),
        "self_attn.o_proj": (shape.hidden, q),
        "mlp.gate_proj": (shape.inner, shape.hidden),
        "mlp.up_proj": (shape.inner, shape.hidden),
        "mlp.down_proj": (shape.hidden, shape.inner),
    }
    return {
        f"model.layers.{layer}.{name}.weight": size
        for layer in range(shape.layers)
        for name, size in sizes.items()
    }


def initial_weights(shape: Shape, seed: int) -> Weights:
    """Random weights: normal with 1/√in, the matrices that write to the residual stream smaller."""
    key = jax.random.key(seed)
    weights: Weights = {
        "model.embed_tokens.weight": 0.02 * jax.random.normal(key, (shape.vocabulary, shape.hidden)),
        "model.norm.weight": jnp.ones(shape.hidden),
    }
    for index, (name, size) in enumerate(matrices(shape).items()):
        deviation = 1 / math.sqrt(size[1])
        if "o_proj" in name or "down_proj" in name:
            deviation /= math.sqrt(2 * shape.layers)
        weights[name] = deviation * jax.random.normal(jax.random.fold_in(key, index), size)
    for layer in range(shape.layers):
        weights[f"model.layers.{layer}.input_layernorm.weight"] = jnp.ones(shape.hidden)
        weights[f"model.layers.{layer}.post_attention_layernorm.weight"] = jnp.ones(shape.hidden)
    return weights


def dot(a: jax.Array, b: jax.Array, contract: int) -> jax.Array:
    """a [..., m, k] with b [..., k, n] (contract 0) or b [..., n, k] (contract 1) → f32 [..., m, n]."""
    batch = tuple(range(a.ndim - 2))
    dimensions = (((a.ndim - 1,), (a.ndim - 2 + contract,)), (batch, batch))
    narrow = (a.astype(jnp.bfloat16), b.astype(jnp.bfloat16))
    return jax.lax.dot_general(*narrow, dimensions, preferred_element_type=jnp.float32)


def transposed(x: jax.Array) -> jax.Array:
    # the flat copy keeps XLA from folding the transposition into a product that is not the fast one
    flat = jax.lax.optimization_barrier(x.swapaxes(-1, -2).reshape(-1))
    return flat.reshape(*x.shape[:-2], x.shape[-1], x.shape[-2])


@jax.custom_vjp
def project(weight: jax.Array, x: jax.Array) -> jax.Array:
    """weight [out, in] and x [in, P] → f32 [out, P]."""
    return dot(weight, x, 0)


def _project_forward(weight: jax.Array, x: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    x = x.astype(jnp.bfloat16)
    return dot(weight, x, 0), (weight, x)


def _project_backward(saved: tuple[jax.Array, jax.Array], dy: jax.Array) -> tuple[jax.Array, jax.Array]:
    weight, x = saved
    dy = dy.astype(jnp.bfloat16)
    return dot(dy, x, 1), dot(transposed(weight), dy, 0)


project.defvjp(_project_forward, _project_backward)


@jax.custom_vjp
def attend(q: jax.Array, k: jax.Array, v: jax.Array, mask: jax.Array) -> jax.Array:
    """Softmax attention; q [M, H, R], k and v [M, H, S], mask bool [M, R, S] → f32 [M, H, R]."""
    return _attend_forward(q, k, v, mask)[0]


AttendSaved = tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]


def _attend_forward(
    q: jax.Array, k: jax.Array, v: jax.Array, mask: jax.Array
) -> tuple[jax.Array, AttendSaved]:
    q, k, v = (part.astype(jnp.bfloat16) for part in (q, k, v))
    scores = jnp.where(mask, dot(transposed(q), k, 0), -1e30)
    seen = jax.nn.softmax(scores, axis=-1).astype(jnp.bfloat16)
    mixed = dot(v, seen, 1)
    return mixed, (q, k, v, seen, mixed)


def _attend_backward(saved: AttendSaved, dy: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, None]:
    q, k, v, seen, mixed = saved
    inner = jnp.sum(dy * mixed, axis=1)[:, :, None]
    dy = dy.astype(jnp.bfloat16)
    dscores = (seen * (dot(transposed(dy), v, 0) - inner)).astype(jnp.bfloat16)
    return dot(k, dscores, 1), dot(q, dscores, 0), dot(dy, seen, 0), None


attend.defvjp(_attend_forward, _attend_backward)


def norm(x: jax.Array, weight: jax.Array, eps: float) -> jax.Array:
    """Root-mean-square normalisation of the columns of x [D, P]."""
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=0) + eps) * weight[:, None]


def rotation(shape: Shape, length: int) -> tuple[jax.Array, jax.Array]:
    """cos and sin [head_dim / 2, length] of the rotary positions (Su et al. 2021)."""
    half = shape.head_dim // 2
    frequencies = shape.rope_theta ** (-jnp.arange(half) / half)
    angles = frequencies[:, None] * jnp.arange(length)
    return jnp.cos(angles), jnp.sin(angles)


def rotate(x: jax.Array, cos: jax.Array, sin: jax.Array) -> jax.Array:
    """Rotary positions over x [heads, H, B, T]: halves of H, as Hugging Face orders them."""
    first, second = jnp.split(x, 2, axis=1)
    cos, sin = cos[None, :, None], sin[None, :, None]
    return jnp.concatenate((first * cos - second * sin, second * cos + first * sin), axis=1)


def attention(weights: Weights, prefix: str, shape: Shape, x: jax.Array, mask: jax.Array) -> jax.Array:
    """Causal grouped-query attention over x [D, B·T]; mask bool [B, T, T]."""
    batch, length = mask.shape[:2]
    kv, dim, groups = shape.kv_heads, shape.head_dim, shape.heads // shape.kv_heads
    cos, sin = rotation(shape, length)

    names = ("q_proj", "k_proj", "v_proj")
    joined = jnp.concatenate([weights[f"{prefix}.{name}.weight"] for name in names])
    heads = project(joined, x).reshape(shape.heads + 2 * kv, dim, batch, length)

    def grouped(columns: jax.Array, count: int) -> jax.Array:  # → [B·K, H, count·T]
        parts = columns.reshape(kv, count, dim, batch, length).transpose(3, 0, 2, 1, 4)
        return parts.reshape(batch * kv, dim, count * length)

    q = grouped(rotate(heads[: shape.heads], cos, sin) * dim**-0.5, groups)
    k = grouped(rotate(heads[shape.heads : shape.heads + kv], cos, sin), 1)
    v = grouped(heads[shape.heads + kv :], 1)
    wide = jnp.broadcast_to(mask[:, None, None], (batch, kv, groups, length, length))
    mixed = attend(q, k, v, wide.reshape(batch * kv, groups * length, length))
    columns = mixed.reshape(batch, kv, dim, groups, length).transpose(1, 3, 2, 0, 4)
    return project(weights[f"{prefix}.o_proj.weight"], columns.reshape(shape.heads * dim, batch * length))


def feed_forward(weights: Weights, prefix: str, x: jax.Array) -> jax.Array:
    """SwiGLU over x [D, P]."""
    names = ("gate_proj", "up_proj")
    gate, up = jnp.split(
        project(jnp.concatenate([weights[f"{prefix}.{name}.weight"] for name in names]), x), 2
    )
    return project(weights[f"{prefix}.down_proj.weight"], jax.nn.silu(gate) * up)


def hidden_states(weights: Weights, shape: Shape, tokens: jax.Array, segments: jax.Array) -> jax.Array:
    """Final hidden states f32 [D, B·T]; tokens see earlier tokens of their own segment (0: padding)."""
    length = tokens.shape[1]
    causal = jnp.tril(jnp.ones((length, length), bool))
    mask = causal & (segments[:, :, None] == segments[:, None, :])
    x = transposed(weights["model.embed_tokens.weight"][tokens.reshape(-1)])
    for layer in range(shape.layers):
        name = f"model.layers.{layer}"
        normal = norm(x, weights[f"{name}.input_layernorm.weight"], shape.norm_eps)
        x = x + attention(weights, f"{name}.self_attn", shape, normal, mask)
        normal = norm(x, weights[f"{name}.post_attention_layernorm.weight"], shape.norm_eps)
        x = x + feed_forward(weights, f"{name}.mlp", normal)
    return norm(x, weights["model.norm.weight"], shape.norm_eps)


@jax.custom_vjp
def cross_entropy(table: jax.Array, hidden: jax.Array, target: jax.Array, weight: jax.Array) -> jax.Array:
    """Weighted sum of −log p(target). table [V, D], hidden [D, M], target int32 [M], weight [M]."""
    return _cross_entropy_forward(table, hidden, target, weight)[0]


def _cross_entropy_forward(
    table: jax.Array, hidden: jax.Array, target: jax.Array, weight: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array, jax.Array]]:
    hidden = hidden.astype(jnp.bfloat16)
    logits = dot(table, hidden, 0)
    total = jax.nn.logsumexp(logits, axis=0)
    right = jnp.arange(table.shape[0])[:, None] == target
    chosen = jnp.sum(jnp.where(right, logits, 0.0), axis=0)
    dlogits = ((jnp.exp(logits - total) - right) * weight).astype(jnp.bfloat16)
    return jnp.sum((total - chosen) * weight), (table, hidden, dlogits)


def _cross_entropy_backward(
    saved: tuple[jax.Array, jax.Array, jax.Array], dy: jax.Array
) -> tuple[jax.Array, jax.Array, None, None]:
    table, hidden, dlogits = saved
    return dy * dot(dlogits, hidden, 1), dy * dot(transposed(table), dlogits, 0), None, None


cross_entropy.defvjp(_cross_entropy_forward, _cross_entropy_backward)


def loss(weights: Weights, shape: Shape, batch: dict[str, jax.Array]) -> jax.Array:
    """Mean cross-entropy (nats) of the targets.

    batch: tokens and segments int32 [B, T]; index int32 [M], the flat positions whose next token is
    predicted; target int32 [M]; weight f32 [M], 0 where ``index`` is filling.
    """
    hidden = hidden_states(weights, shape, batch["tokens"], batch["segments"])
    share = batch["weight"] / jnp.maximum(jnp.sum(batch["weight"]), 1.0)
    table = weights["model.embed_tokens.weight"]
    rows = transposed(hidden)[batch["index"]]
    return cross_entropy(table, transposed(rows), batch["target"], share)
