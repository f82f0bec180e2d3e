"""The parameter tree of a decoder and of the adapters beside it.

Every linear weight is [out, in], as Hugging Face stores it: on CPUs with AVX-512 this measured
faster than [in, out] once the activations are the right-hand side (see ``liminal.engine.model.linear``),
and loading and saving need no transposition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from liminal.engine.blocks import Form
from liminal.engine.config import ModelConfig

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The linears of a layer that may carry LoRA, by their Hugging Face names."""


@struct.dataclass
class Linear:
    """y = x @ weight.T + bias.

    weight: [out, in]; float, or int8 with ``scale``, or bytes with ``form`` (``liminal.engine.blocks``).
    scale: [out] f32, the step of each int8 row; None for float weights.
    bias: [out] or None.
    form: how bytes are to be read; None for other weights.
    """

    weight: jax.Array
    scale: jax.Array | None = None
    bias: jax.Array | None = None
    form: Form | None = struct.field(pytree_node=False, default=None)


@struct.dataclass
class Layer:
    """One decoder layer. Norm weights are [hidden]; q_norm and k_norm are [head_dim] or None.

    attention_out_norm, mlp_out_norm: [hidden], of what a sandwich adds to the residual (Gemma), or None.
    """

    input_norm: jax.Array
    q_proj: Linear
    k_proj: Linear
    v_proj: Linear
    o_proj: Linear
    q_norm: jax.Array | None
    k_norm: jax.Array | None
    post_norm: jax.Array
    gate_proj: Linear
    up_proj: Linear
    down_proj: Linear
    attention_out_norm: jax.Array | None = None
    mlp_out_norm: jax.Array | None = None


@struct.dataclass
class Params:
    """A decoder: embed [vocab, hidden], layers, final norm [hidden], head [vocab, hidden].

    ``head`` is None when the embeddings are tied. embed_scale: on what is looked up, ModelConfig's.
    """

    embed: Linear
    layers: tuple[Layer, ...]
    norm: jax.Array
    head: Linear | None
    embed_scale: float = struct.field(pytree_node=False, default=1.0)


@struct.dataclass
class LoraPair:
    """One linear's low-rank rows: a [R, in] and b [R, out] (b is PEFT's lora_B transposed).

    R counts rank rows, whichever adapters they belong to: y += ((x @ a.T) * gates) @ b, with gates
    [batch, R]. Two adapters of ranks 8 and 16 are 24 rows; a row's gate is its adapter's gate.
    The scaling alpha/r belongs in b or in the gates.
    """

    a: jax.Array
    b: jax.Array


Lora = tuple[Mapping[str, LoraPair], ...]
"""Per layer, the linears that carry rank rows, by name from TARGETS. All pairs share one R."""

PAGE = 8
"""Rank rows that belong together: an adapter takes whole pages of a bank."""


@struct.dataclass
class PageGates:
    """Gates of a batch in which every page of rank rows serves at most one batch row.

    owner: int32 [R / PAGE], the batch row of each page (any, where its gates are zero).
    gates: f32 [R / PAGE, PAGE].
    """

    owner: jax.Array
    gates: jax.Array


Gates = jax.Array | PageGates
"""f32 [batch, R], or PageGates."""


def init_params(config: ModelConfig, seed: int = 0, dtype: Any = jnp.float32) -> Params:
    """Random parameters: normal with deviation 0.02 (residual outputs scaled by depth), norms one."""
    rng = np.random.default_rng(seed)
    depth = 1.0 / np.sqrt(2 * config.layers)

    def normal(*shape: int, scale: float = 1.0) -> jax.Array:
        return jnp.asarray(rng.standard_normal(shape, np.float32) * np.float32(0.02 * scale), dtype)

    def linear(name: str) -> Linear:
        out, inner = config.linear_shapes()[name]
        biased = {
            "o_proj": config.o_bias,
            "q_proj": config.qkv_bias,
            "k_proj": config.qkv_bias,
            "v_proj": config.qkv_bias,
        }
        bias = normal(out) if biased.get(name, config.mlp_bias) else None
        return Linear(normal(out, inner, scale=depth if name in ("o_proj", "down_proj") else 1.0), bias=bias)

    def ones(size: int) -> jax.Array:
        return jnp.ones((size,), dtype)

    def layer() -> Layer:
        parts: dict[str, Any] = {name: ones(config.hidden_size) for name in config.norms}
        for name in ("q_norm", "k_norm"):
            parts[name] = ones(config.head_dim) if config.qk_norm else None
        parts |= {name: linear(name) for name in TARGETS}
        return Layer(**parts)

    layers = tuple(layer() for _ in range(config.layers))
    embed = Linear(normal(config.vocab_size, config.hidden_size))
    head = None if config.tied else Linear(normal(config.vocab_size, config.hidden_size))
    return Params(embed, layers, ones(config.hidden_size), head, config.embed_scale)


def init_lora(
    config: ModelConfig,
    rank: int,
    seed: int = 0,
    targets: tuple[str, ...] = TARGETS,
    dtype: Any = jnp.float32,
) -> Lora:
    """Fresh rank rows as PEFT makes them: a uniform (Kaiming, a=√5), b zero, so nothing changes yet."""
    rng = np.random.default_rng(seed)
    shapes = config.linear_shapes()

    def pair(name: str) -> LoraPair:
        out, inner = shapes[name]
        bound = 1.0 / np.sqrt(inner)
        a = rng.uniform(-bound, bound, (rank, inner)).astype(np.float32)
        return LoraPair(jnp.asarray(a, dtype), jnp.zeros((rank, out), dtype))

    return tuple({name: pair(name) for name in targets} for _ in range(config.layers))


def parameter_count(config: ModelConfig) -> int:
    """Number of scalars in the model, without building it."""
    per_layer = sum(out * inner for out, inner in config.linear_shapes().values())
    per_layer += len(config.norms) * config.hidden_size
    shapes = config.linear_shapes()
    if config.qkv_bias:
        per_layer += sum(shapes[name][0] for name in ("q_proj", "k_proj", "v_proj"))
    if config.o_bias:
        per_layer += shapes["o_proj"][0]
    if config.mlp_bias:
        per_layer += sum(shapes[name][0] for name in ("gate_proj", "up_proj", "down_proj"))
    if config.qk_norm:
        per_layer += 2 * config.head_dim
    tables = 1 if config.tied else 2
    return config.layers * per_layer + tables * config.vocab_size * config.hidden_size + config.hidden_size
