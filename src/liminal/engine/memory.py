"""How many bytes a model will take, from its configuration alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from liminal.engine.cache import BLOCK
from liminal.engine.config import ModelConfig
from liminal.engine.params import parameter_count


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes of the three things that stay: the weights, the key-value cache, the adapter bank."""

    weights: int
    cache: int
    bank: int

    @property
    def total(self) -> int:
        """Their sum."""
        return self.weights + self.cache + self.bank


def cache_length(context: int, chunk: int) -> int:
    """Positions of a slot that serves ``context`` tokens: room for a padded last chunk, in whole blocks."""
    return -(-(context + chunk) // BLOCK) * BLOCK


def plan_memory(
    config: ModelConfig, *, slots: int, context: int, chunk: int, rows: int, dtype: Any, int8: bool = False
) -> MemoryPlan:
    """Bytes for ``slots`` sequences of ``context`` tokens and ``rows`` rank rows."""
    width = jnp.dtype(dtype).itemsize
    count = parameter_count(config)
    if int8:
        matrices = config.layers * sum(out * inner for out, inner in config.linear_shapes().values())
        outputs = config.layers * sum(out for out, _ in config.linear_shapes().values())
        tables = 1 if config.tied else 2
        matrices += tables * config.vocab_size * config.hidden_size
        outputs += tables * config.vocab_size
        weights = matrices + 4 * outputs + (count - matrices) * width
    else:
        weights = count * width
    per_position = 2 * config.layers * config.kv_heads * config.head_dim * width
    per_row = config.layers * sum(out + inner for out, inner in config.linear_shapes().values()) * width
    return MemoryPlan(weights, slots * cache_length(context, chunk) * per_position, rows * per_row)


def readable(size: float) -> str:
    """Bytes for a person: ``1.3 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
