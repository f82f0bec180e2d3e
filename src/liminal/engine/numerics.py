"""In which numbers a model computes: f32 on CPU, bf16 on accelerators, int8 weights on request."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from liminal.engine.params import TARGETS, Layer, Linear, Params

Numbers = Literal["auto", "float32", "bfloat16", "float16"]

DTYPES: dict[str, Any] = {"float32": jnp.float32, "bfloat16": jnp.bfloat16, "float16": jnp.float16}


def compute_dtype(numbers: Numbers = "auto", platform: str | None = None) -> Any:
    """The floating type for ``numbers``; ``auto`` is f32 on CPU (where bf16 is slower) and bf16 elsewhere."""
    if numbers != "auto":
        return DTYPES[numbers]
    return jnp.float32 if (platform or jax.default_backend()) == "cpu" else jnp.bfloat16


def quantise_linear(p: Linear) -> Linear:
    """Weight-only int8, symmetric, one step per output row: |error| ≤ step / 2."""
    wide = np.asarray(p.weight).astype(np.float32)
    step = np.maximum(np.abs(wide).max(axis=1), 1e-12) / np.float32(127.0)
    rounded = np.rint(wide / step[:, None]).astype(np.int8)
    return Linear(jnp.asarray(rounded), jnp.asarray(step.astype(np.float32)), p.bias)


def quantise(params: Params) -> Params:
    """Every linear and embedding of the model in int8; norms and biases stay as they are."""

    def layer(source: Layer) -> Layer:
        parts = {target: quantise_linear(getattr(source, target)) for target in TARGETS}
        return dataclasses.replace(source, **parts)

    return dataclasses.replace(
        params,
        embed=quantise_linear(params.embed),
        layers=tuple(layer(item) for item in params.layers),
        head=None if params.head is None else quantise_linear(params.head),
    )
