"""Adapters over the default model that llama.cpp and the engine are both given."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from liminal.engine.config import ModelConfig
from liminal.engine.params import TARGETS
from liminal.engine.peft import Adapter

SCALES = (1.0, 0.5)
"""llama.cpp's per request, our gates."""


@dataclass(frozen=True)
class Recipe:
    """How an adapter is drawn; ``more`` are further fields of Adapter."""

    name: str
    rank: int
    alpha: float
    targets: tuple[str, ...]
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    ranks: Mapping[str, int] = field(default_factory=dict[str, int])


RECIPES = (
    Recipe("r4_attention", 4, 8.0, ("q_proj", "k_proj", "v_proj", "o_proj")),
    Recipe("r16_all", 16, 32.0, TARGETS),
    Recipe("r2_q", 2, 8.0, ("q_proj",)),
    Recipe(
        "r8_rslora_patterns",
        8,
        4.0,
        ("k_proj", "gate_proj", "up_proj", "down_proj"),
        {"rslora": True, "alphas": {"down_proj": 2.0}},
        {"k_proj": 3},
    ),
)


def make(recipe: Recipe, config: ModelConfig) -> Adapter:
    """The adapter of a recipe: normal numbers that change an answer and don't ruin it."""
    rng = np.random.default_rng(recipe.rank)
    shapes = config.linear_shapes()
    tensors: dict[tuple[int, str], tuple[Any, Any]] = {}
    for layer in range(config.layers):
        for target in recipe.targets:
            rank = recipe.ranks.get(target, recipe.rank)
            out, inner = shapes[target]
            a = rng.standard_normal((rank, inner), np.float32) * np.float32(0.05)
            b = rng.standard_normal((out, rank), np.float32) * np.float32(0.02)
            tensors[layer, target] = (a, b)
    return Adapter(recipe.rank, recipe.alpha, tensors, ranks=recipe.ranks, **recipe.more)


def digest(tensors: Mapping[str, Any]) -> str:
    """Of a GGUF adapter's tensors by name: whether the exporter still writes what llama.cpp was given."""
    whole = hashlib.sha256()
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name], np.float32)
        whole.update(f"{name} {value.shape}".encode())
        whole.update(value.tobytes())
    return whole.hexdigest()
