"""In which numbers a model computes: floats, int8 weights on request, or the blocks of its file."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from liminal.engine import kernels
from liminal.engine.params import TARGETS, Layer, Linear, Params

Numbers = Literal["auto", "float32", "bfloat16", "float16", "blocks"]

DTYPES: dict[str, Any] = {"float32": jnp.float32, "bfloat16": jnp.bfloat16, "float16": jnp.float16}


LARGE = 64 << 20
"""Parameters from which a model of floats is served in 8 bits where there are kernels for them."""


def chosen_numbers(numbers: Numbers, quantised: bool, parameters: int, devices: int = 1) -> Numbers:
    """What ``auto`` is for a model on this device; other numbers are what they are.

    On a CPU with kernels for them (``liminal.engine.kernels``) and on one device: the blocks of a file that
    has blocks, and 8 bits for a large model of floats. Otherwise f32 on CPU, where bf16 is slower, and bf16
    elsewhere.
    """
    if numbers != "auto":
        return numbers
    if jax.default_backend() != "cpu":
        return "bfloat16"
    kernels_here = devices == 1 and kernels.byte_products() != ""
    return "blocks" if kernels_here and (quantised or parameters >= LARGE) else "float32"


def compute_dtype(numbers: Numbers = "auto", platform: str | None = None) -> Any:
    """The floating type for ``numbers``; ``auto`` is f32 on CPU (where bf16 is slower) and bf16 elsewhere.

    Beside blocks everything else is f32.
    """
    if numbers == "blocks":
        return jnp.float32
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
