"""A decoder's layers in one call (``liminal.engine.kernels.layers``), where it knows a model's kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from liminal.engine import kernels
from liminal.engine.blocks import BLOCK, Form
from liminal.engine.config import ModelConfig
from liminal.engine.kernels.sizes import GIVEN, LAYER, scratch_bytes
from liminal.engine.params import TARGETS, Layer, Linear, Params


@dataclass(frozen=True)
class Rows:
    """Tokens that go through the layers together.

    Attributes:
      x: embeddings f32 [R, D].
      cos, sin: f32 [R, head_dim / 2].
      slots, positions: int32 [R]; a row at its slot's last position takes no part.
      count: int32 scalar, how many rows are real; the others' results mean nothing.
    """

    x: jax.Array
    cos: jax.Array
    sin: jax.Array
    slots: jax.Array
    positions: jax.Array
    count: jax.Array


def layers_kernel(params: Params, config: ModelConfig) -> str:
    """The name of the kernel that has this model's layers, compiled; "" where there is none."""
    kind = kernels.byte_products()
    forms = _forms(params.layers)
    if not kind or forms is None or not _plain(params, config):
        return ""
    of = (kind, config.heads, config.kv_heads, config.head_dim, *(forms[target].key for target in TARGETS))
    return kernels.kernel_name(kernels.LAYERS, *of) if kernels.available(kernels.LAYERS, *of) else ""


def _forms(layers: Sequence[Layer]) -> Mapping[str, Form] | None:
    """Each linear's form, if it is the same in every layer."""
    found: dict[str, Form] = {}
    for layer in layers:
        for target in TARGETS:
            own: Linear = getattr(layer, target)
            if own.form is None or own.bias is not None or found.setdefault(target, own.form) != own.form:
                return None
    return found


def _plain(params: Params, config: ModelConfig) -> bool:
    whole = (config.head_dim, config.hidden_size, config.intermediate_size)
    return (
        params.norm.dtype == jnp.float32
        and all(size % BLOCK == 0 for size in whole)
        and all(config.rotary)
        and not config.qk_norm
        and not config.sandwich
        and config.activation == "silu"
        and config.query_scale == 1.0
        and config.local_theta is None
    )


def decoder_layers(
    name: str,
    params: Params,
    config: ModelConfig,
    rows: Rows,
    cache: tuple[Sequence[jax.Array], Sequence[jax.Array]],
) -> tuple[jax.Array, tuple[jax.Array, ...], tuple[jax.Array, ...]]:
    """The rows after all layers [R, D], and the cache's keys and values [slots, K, L, H] with theirs."""
    count, hidden = rows.x.shape
    keys, values = cache
    size = scratch_bytes(
        count, hidden, config.intermediate_size, config.heads, config.kv_heads, config.head_dim
    )
    windows = np.asarray([window or 0 for window in config.windows], np.int32)
    given = [
        rows.x, rows.cos, rows.sin, rows.slots, rows.positions, windows, rows.count,
        np.float32(config.norm_eps),
    ]  # fmt: skip
    for layer in params.layers:
        own = [getattr(layer, name) for name in LAYER]
        given += [each.weight if isinstance(each, Linear) else each for each in own]
    first = len(GIVEN) + len(LAYER) * config.layers
    sides = [*keys, *values]
    shapes = [jax.ShapeDtypeStruct(each.shape, each.dtype) for each in (rows.x, *sides)]
    aliases = {0: 0} | {first + index: 1 + index for index in range(len(sides))}
    call = jax.ffi.ffi_call(
        name, [*shapes, jax.ShapeDtypeStruct((size,), jnp.uint8)], input_output_aliases=aliases
    )
    x, *found = call(*given, *sides)
    return x, tuple(found[: config.layers]), tuple(found[config.layers : 2 * config.layers])
