"""The rank rows of the adapters that a run trains or scores, side by side in one bank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from liminal.engine.config import ModelConfig
from liminal.engine.params import TARGETS, Lora, LoraPair
from liminal.engine.peft import Adapter
from liminal.engine.training.batch import size_above
from liminal.engine.training.config import TrainConfig

ROWS = 8
"""Banks have 8, 12, 16, 24, 32, 48, … rows, so that few sizes are ever compiled."""


def fresh_adapter(config: ModelConfig, settings: TrainConfig) -> Adapter:
    """LoRA's start as PEFT makes it: A uniform in ±1/√in (Kaiming, a = √5), B zero; from the seed alone.

    Only the last ``settings.layers`` layers have it.
    """
    shapes = config.linear_shapes()
    rng = np.random.default_rng((settings.seed, 2))
    tensors: dict[tuple[int, str], tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
    first = config.layers - min(settings.layers or config.layers, config.layers)
    for layer in range(first, config.layers):
        for target in TARGETS:
            if target in settings.targets:
                out, inner = shapes[target]
                a = rng.uniform(-1.0, 1.0, (settings.rank, inner)) / np.sqrt(inner)
                tensors[layer, target] = (a.astype(np.float32), np.zeros((out, settings.rank), np.float32))
    return Adapter(rank=settings.rank, alpha=settings.alpha, tensors=tensors)


@dataclass(frozen=True)
class TrainingBank:
    """Several adapters' rank rows in one Lora, b without scaling: α/r is in the gates.

    Attributes:
      starts: where adapter j's rows begin; sizes: how many it has.
      total: rows of the bank, padding included.
      targets: the linears that any of them adapts, by layer.
    """

    adapters: tuple[Adapter, ...]
    config: ModelConfig
    starts: tuple[int, ...]
    sizes: tuple[int, ...]
    total: int
    targets: tuple[tuple[str, ...], ...]

    @staticmethod
    def of(adapters: Sequence[Adapter], config: ModelConfig) -> TrainingBank:
        """A bank that holds these adapters, in their order."""
        sizes = tuple(adapter.rows for adapter in adapters)
        starts = tuple(int(start) for start in np.concatenate([[0], np.cumsum(sizes)])[:-1])
        used = {place for adapter in adapters for place in adapter.tensors}
        targets = tuple(
            tuple(target for target in TARGETS if (layer, target) in used) for layer in range(config.layers)
        )
        return TrainingBank(tuple(adapters), config, starts, sizes, size_above(sum(sizes), ROWS), targets)

    @property
    def first(self) -> int:
        """The lowest layer that any of them adapts; of no adapters the topmost."""
        return next((layer for layer, targets in enumerate(self.targets) if targets), len(self.targets) - 1)

    def lora(self) -> Lora:
        """The rows in f32: a [R, in] and b [R, out] for every linear that is adapted."""
        shapes = self.config.linear_shapes()

        def pair(layer: int, target: str) -> LoraPair:
            out, inner = shapes[target]
            a, b = np.zeros((self.total, inner), np.float32), np.zeros((self.total, out), np.float32)
            for adapter, start in zip(self.adapters, self.starts, strict=True):
                if (layer, target) in adapter.tensors:
                    down, up = adapter.tensors[layer, target]
                    # a pattern may scale one linear otherwise than the adapter's α/r, which is in the gates
                    factor = adapter.scaling((layer, target)) / scaling(adapter)
                    a[start : start + len(down)] = down
                    b[start : start + len(down)] = up.astype(np.float32).T * np.float32(factor)
            return LoraPair(jnp.asarray(a), jnp.asarray(b))

        return tuple(
            {target: pair(layer, target) for target in targets} for layer, targets in enumerate(self.targets)
        )

    def gates(self, mixture: Sequence[tuple[int, float]]) -> NDArray[np.float32]:
        """Gates [R] of a mixture of (adapter's number, gate), α/r included."""
        row = np.zeros(self.total, np.float32)
        for number, gate in mixture:
            start, size = self.starts[number], self.sizes[number]
            row[start : start + size] += gate * scaling(self.adapters[number])
        return row

    def owners(self) -> NDArray[np.int32]:
        """Whose each rank row is, int32 [R]; padding belongs to adapter J, which does not exist."""
        owners = np.full(self.total, len(self.adapters), np.int32)
        for number, (start, size) in enumerate(zip(self.starts, self.sizes, strict=True)):
            owners[start : start + size] = number
        return owners

    def adapter(self, number: int, lora: Lora) -> Adapter:
        """Adapter ``number`` with the rows that ``lora`` now holds."""
        old = self.adapters[number]
        here = slice(self.starts[number], self.starts[number] + self.sizes[number])
        tensors = {
            (layer, target): (
                np.ascontiguousarray(np.asarray(lora[layer][target].a[here])),
                np.ascontiguousarray(np.asarray(lora[layer][target].b[here]).T),
            )
            for layer, target in old.tensors
        }
        return Adapter(rank=old.rows, alpha=scaling(old) * old.rows, tensors=tensors)


def scaling(adapter: Adapter) -> float:
    """What multiplies B·A·x of the adapter's rows in a bank: α/r, or α/√r."""
    return adapter.alpha / (adapter.rows**0.5 if adapter.rslora else adapter.rows)


def stacked_gates(rows: Sequence[NDArray[np.float32]]) -> jax.Array:
    """A gate table [lines, R]."""
    return jnp.asarray(np.stack(rows))
