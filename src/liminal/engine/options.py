"""How an engine is sized, and what it needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import psutil

from liminal.engine.config import ModelConfig
from liminal.engine.errors import MemoryShort
from liminal.engine.memory import MemoryPlan, plan_memory, readable
from liminal.engine.numerics import Numbers, chosen_numbers, compute_dtype
from liminal.engine.params import PAGE, parameter_count
from liminal.engine.runner import Shapes
from liminal.engine.source import ModelFiles


@dataclass(frozen=True)
class EngineOptions:
    """How an engine is sized and computes.

    Attributes:
      slots: sequences that decode at once.
      context: most tokens of a sequence; None is the model's, at most 4096.
      rows: rank rows of the adapter bank (8 adapters of rank 16 are 128); 0 is no bank.
      numbers: ``blocks`` are the file's 4 or 8 bits; ``auto``: liminal.engine.numerics.chosen_numbers.
      int8: weights in int8, one step a row, whatever ``auto`` would choose.
      devices: tensor parallelism over this many devices.
      prefix_bytes: bound of the prefix cache; adapter_bytes: of adapters held in host memory.
      queue: requests that may wait before QueueFull.
      warm: compile what a single answer needs before the first request, and the rest while serving;
        without ``ahead`` the rest only once it is needed.
      compiled: folder where compiled programs are kept between runs, None for nowhere.
    """

    slots: int = 8
    context: int | None = None
    chunks: tuple[int, ...] = (32, 128)
    rows: int = 128
    numbers: Numbers = "auto"
    int8: bool = False
    devices: int = 1
    prefix_bytes: int = 256 << 20
    adapter_bytes: int = 1 << 30
    queue: int = 256
    warm: bool = True
    ahead: bool = True
    compiled: Path | None = None

    def shapes(self, config: ModelConfig) -> Shapes:
        """The fixed shapes for a model."""
        context = min(self.context or 4096, config.max_positions)
        return Shapes(self.slots, context, self.chunks, -(-self.rows // PAGE) * PAGE)

    def numbers_for(self, files: ModelFiles) -> Numbers:
        """In which numbers these options compute a model."""
        if self.int8:
            return "float32" if self.numbers == "auto" else self.numbers
        return chosen_numbers(self.numbers, files.quantised, parameter_count(files.config), self.devices)

    def memory_for(self, files: ModelFiles) -> MemoryPlan:
        """As memory, of a model's files."""
        plan = dataclasses.replace(self, numbers=self.numbers_for(files)).memory(files.config)
        if self.numbers_for(files) != "blocks" or self.int8:
            return plan
        return dataclasses.replace(plan, weights=files.packed_bytes)

    def memory(self, config: ModelConfig) -> MemoryPlan:
        """Bytes that the engine will hold, known before anything is loaded; blocks are taken for floats."""
        shapes = self.shapes(config)
        return plan_memory(
            config,
            slots=shapes.slots,
            context=shapes.context,
            chunk=shapes.chunks[-1],
            rows=shapes.rows,
            dtype=compute_dtype(self.numbers),
            int8=self.int8,
        )


def check_memory(plan: MemoryPlan) -> None:
    """Raise MemoryShort if the device's memory cannot hold the plan."""
    stats: Mapping[str, Any] | None = jax.devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        free = int(stats["bytes_limit"]) - int(stats.get("bytes_in_use", 0))
    else:
        free = int(psutil.virtual_memory().available)
    if plan.total > free:
        raise MemoryShort(
            f"the model needs {readable(plan.total)} (weights {readable(plan.weights)}, cache "
            f"{readable(plan.cache)}, bank {readable(plan.bank)}) and {readable(free)} are free; "
            "lower slots, context or rows, or use int8",
            needed=plan.total,
            free=free,
        )
