"""Rotary position frequencies, plain and stretched."""

from __future__ import annotations

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from liminal.engine.config import ModelConfig, RopeScaling


def frequencies(config: ModelConfig) -> tuple[NDArray[np.float32], float]:
    """(inverse frequencies [head_dim / 2], factor on cos and sin) as transformers computes them."""
    dim, scaling = config.head_dim, config.rope
    base = 1.0 / config.rope_theta ** (np.arange(0, dim, 2, dtype=np.float32) / np.float32(dim))
    plain = base.astype(np.float32)
    if scaling.kind == "linear":
        return plain / np.float32(scaling.factor), 1.0
    if scaling.kind == "llama3":
        return _llama3(plain, scaling), 1.0
    if scaling.kind == "yarn":
        return _yarn(plain, config), _yarn_factor(scaling)
    return plain, 1.0


def _llama3(plain: NDArray[np.float32], scaling: RopeScaling) -> NDArray[np.float32]:
    wavelength = 2 * np.pi / plain
    original = scaling.original_max_position_embeddings
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    smooth = np.clip((original / wavelength - low) / (high - low), 0.0, 1.0)
    blended = (1 - smooth) * plain / scaling.factor + smooth * plain
    return blended.astype(np.float32)


def _yarn(plain: NDArray[np.float32], config: ModelConfig) -> NDArray[np.float32]:
    scaling, dim = config.rope, config.head_dim

    def dimension(rotations: float) -> float:
        turns = scaling.original_max_position_embeddings / (rotations * 2 * math.pi)
        return dim * math.log(turns) / (2 * math.log(config.rope_theta))

    low, high = dimension(scaling.beta_fast), dimension(scaling.beta_slow)
    if scaling.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dim - 1)
    if low == high:
        high += 0.001
    ramp = np.clip((np.arange(dim // 2, dtype=np.float32) - low) / (high - low), 0.0, 1.0)
    return (plain / scaling.factor * ramp + plain * (1 - ramp)).astype(np.float32)


def _yarn_factor(scaling: RopeScaling) -> float:
    if scaling.attention_factor is not None:
        return scaling.attention_factor

    def temperature(scale: float) -> float:
        return 1.0 if scaling.factor <= 1 else 0.1 * scale * math.log(scaling.factor) + 1.0

    if scaling.mscale and scaling.mscale_all_dim:
        return temperature(scaling.mscale) / temperature(scaling.mscale_all_dim)
    return temperature(1.0)


Rotation = tuple[jax.Array, jax.Array]
"""(cos, sin)."""


def angles(config: ModelConfig, positions: jax.Array) -> Rotation:
    """(cos, sin), each f32 [..., head_dim / 2], for int32 positions [...]."""
    inverse, factor = frequencies(config)
    phase = positions[..., None].astype(jnp.float32) * inverse
    return jnp.cos(phase) * factor, jnp.sin(phase) * factor


def layer_angles(config: ModelConfig, positions: jax.Array) -> list[Rotation]:
    """``angles`` for each layer: one with a window may have a base of its own, without scaling (Gemma 3)."""
    everywhere = angles(config, positions)
    if config.local_theta is None:
        return [everywhere] * config.layers
    local = replace(config, rope_theta=config.local_theta, rope=RopeScaling())
    near = angles(local, positions)
    return [everywhere if window is None else near for window in config.windows]


def rotate(x: jax.Array, cos: jax.Array, sin: jax.Array) -> jax.Array:
    """Rotate halves: x [B, T, heads, head_dim]; cos and sin [B, T, head_dim / 2]."""
    left, right = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    cos, sin = cos[:, :, None, :], sin[:, :, None, :]
    return jnp.concatenate([left * cos - right * sin, right * cos + left * sin], axis=-1).astype(x.dtype)
