"""One model over several devices: tensor parallelism in Megatron's layout (arXiv:1909.08053).

Query, key, value, gate and up projections are split by output rows, o and down by input columns,
the cache by key-value heads; XLA inserts the two all-reduces of a layer.
"""

from __future__ import annotations

import dataclasses

import jax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec

from liminal.engine.cache import Cache
from liminal.engine.config import ModelConfig
from liminal.engine.errors import ModelUnsupported
from liminal.engine.params import TARGETS, Layer, Linear, Lora, LoraPair, Params

AXIS = "tensor"
COLUMN = ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj")
"""Targets whose outputs are split; the others' inputs are."""


def tensor_mesh(config: ModelConfig, devices: int) -> Mesh | None:
    """A mesh of the first ``devices`` devices, None for one. Raises ModelUnsupported if it cannot split."""
    if devices == 1:
        return None
    found = jax.devices()
    if len(found) < devices:
        raise ModelUnsupported(f"{devices} devices were asked for and {len(found)} are here")
    for name, size in (
        ("num_key_value_heads", config.kv_heads),
        ("intermediate_size", config.intermediate_size),
        ("vocab_size", config.vocab_size),
    ):
        if size % devices:
            raise ModelUnsupported(f"{name} {size} cannot be split over {devices} devices")
    return Mesh(found[:devices], (AXIS,))


def _place(mesh: Mesh, array: jax.Array, *axes: str | None) -> jax.Array:
    return jax.device_put(array, NamedSharding(mesh, Spec(*axes)))


def _shard_linear(mesh: Mesh, p: Linear, column: bool) -> Linear:
    out = AXIS if column else None
    return Linear(
        _place(mesh, p.weight, out, None if column else AXIS),
        None if p.scale is None else _place(mesh, p.scale, out),
        None if p.bias is None else _place(mesh, p.bias, out),
    )


def shard_params(params: Params, mesh: Mesh | None) -> Params:
    """The parameters laid out over the mesh."""
    if mesh is None:
        return params

    def layer(source: Layer) -> Layer:
        whole = jax.device_put(source, NamedSharding(mesh, Spec()))
        parts = {name: _shard_linear(mesh, getattr(source, name), name in COLUMN) for name in TARGETS}
        return dataclasses.replace(whole, **parts)

    return dataclasses.replace(
        params,
        embed=_shard_linear(mesh, params.embed, column=True),
        layers=tuple(layer(item) for item in params.layers),
        norm=_place(mesh, params.norm),
        head=None if params.head is None else _shard_linear(mesh, params.head, column=True),
    )


def shard_cache(cache: Cache, mesh: Mesh | None) -> Cache:
    """The cache split by key-value heads."""
    if mesh is None:
        return cache
    return jax.device_put(cache, NamedSharding(mesh, Spec(None, AXIS)))


def shard_lora(lora: Lora, mesh: Mesh | None) -> Lora:
    """Rank rows laid out as the linears they adapt."""
    if mesh is None:
        return lora

    def pair(name: str, rows: LoraPair) -> LoraPair:
        if name in COLUMN:
            return LoraPair(_place(mesh, rows.a), _place(mesh, rows.b, None, AXIS))
        return LoraPair(_place(mesh, rows.a, None, AXIS), _place(mesh, rows.b))

    return tuple({name: pair(name, rows) for name, rows in layer.items()} for layer in lora)
