"""How fast an SFT step is: forward, backward and AdamW over LoRA on every linear of a 135M Llama."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from liminal.engine.bench import Figures, Progress, alternate, shape_135m
from liminal.engine.config import ModelConfig
from liminal.engine.numerics import compute_dtype
from liminal.engine.params import init_params
from liminal.engine.training.bank import TrainingBank, fresh_adapter, stacked_gates
from liminal.engine.training.config import TrainConfig
from liminal.engine.training.encoding import Encoded, joined
from liminal.engine.training.optimizer import Settings, apply_gradients, initial_state
from liminal.engine.training.plan import Item, Job, Kind, Plan
from liminal.engine.training.run import batch_gradients


@dataclass(frozen=True)
class Workload:
    """Sequences of one step: (tokens, of which the last so many are learned)."""

    name: str
    sequences: tuple[tuple[int, int], ...]

    @property
    def tokens(self) -> int:
        """Real tokens of a step."""
        return sum(length for length, _ in self.sequences)


WORKLOADS = (
    Workload("full", ((256, 255),) * 4),
    Workload("chat", ((220, 96), (180, 60), (140, 80), (120, 40), (96, 48), (80, 30), (64, 24), (48, 20))),
)
"""``full`` has neither padding nor prompts to save on; ``chat`` is what corrections look like."""


class SftStep:
    """One optimizer step of TrainingRun on random weights and tokens; every call takes another."""

    def __init__(self, workload: Workload, rank: int = 16) -> None:
        """Builds the model; the first call compiles."""
        self.config = shape_135m()
        self.params = init_params(self.config, dtype=compute_dtype())
        settings = TrainConfig(rank=rank, alpha=rank, batch_size=len(workload.sequences), epochs=1)
        self._settings = Settings.of(settings)
        bank = TrainingBank.of([fresh_adapter(self.config, settings)], self.config)
        rng = np.random.default_rng(0)
        items = tuple(Item(0, Kind.ANSWER, (self._sequence(rng, *sizes),)) for sizes in workload.sequences)
        self.plan = Plan([Job("bench", items, (), tuple(range(len(items))), reference=1)], settings)
        self._table = stacked_gates([bank.gates([(0, 1.0)]), bank.gates([])])
        trained = bank.lora()
        self._state = (trained, initial_state(trained, self._settings))
        self._owners, self._rates = jnp.asarray(bank.owners()), jnp.asarray([1e-4], jnp.float32)

    def __call__(self) -> None:
        """Takes the step and waits for it."""
        for batch in self.plan.batches(0):
            gradients, _ = batch_gradients(
                self._state[0],
                None,
                self.params,
                self._table,
                batch,
                jnp.float32(0.1),
                jnp.zeros(1),
                self.config,
                first=0,
                remat=False,
            )
            self._state = apply_gradients(*self._state, gradients, self._owners, self._rates, self._settings)
        jax.block_until_ready(self._state)

    def _sequence(self, rng: np.random.Generator, length: int, learned: int) -> Encoded:
        tokens = rng.integers(0, self.config.vocab_size, length).astype(np.int32)
        return joined(tokens[: length - learned], tokens[length - learned :])


def multiplier(config: ModelConfig, rows: int = 1024) -> tuple[Callable[[], object], float]:
    """(a product of the model's own shape, its floating point operations): the yardstick of the processor."""
    out, inner = config.linear_shapes()["gate_proj"]
    left, right = jnp.ones((rows, inner), jnp.float32), jnp.ones((out, inner), jnp.float32)

    @jax.jit
    def multiply(left: jax.Array, right: jax.Array) -> jax.Array:
        return left @ right.T

    def run() -> object:
        return jax.block_until_ready(multiply(left, right))

    return run, 2.0 * rows * out * inner


def step_operations(config: ModelConfig, workload: Workload) -> float:
    """Floating point operations that a step of LoRA can't do without: twice through the frozen linears.

    Forward and the backward pass to the activations; the head for learned tokens only. Attention, LoRA's own
    products and padding are left out.
    """
    linears = config.layers * sum(out * inner for out, inner in config.linear_shapes().values())
    head = config.vocab_size * config.hidden_size
    return 4.0 * (linears * workload.tokens + head * sum(learned for _, learned in workload.sequences))


def bench_train(rounds: int, progress: Progress) -> Figures:
    """SFT steps of every workload, against the speed of a bare matrix product between them."""
    config = shape_135m()
    multiply, operations = multiplier(config)
    steps = {workload.name: SftStep(workload) for workload in WORKLOADS}
    began = time.perf_counter()
    for step in steps.values():
        step()
    compiled = time.perf_counter() - began
    taken = alternate({"product": multiply, **steps}, rounds, progress)
    figures: Figures = {"product GFLOP/s": operations / taken["product"] / 1e9, "first steps s": compiled}
    for workload in WORKLOADS:
        ideal = step_operations(config, workload) * taken["product"] / operations
        figures[f"sft {workload.name} step ms"] = taken[workload.name] * 1e3
        figures[f"sft {workload.name} tok/s"] = workload.tokens / taken[workload.name]
        figures[f"sft {workload.name} share of the product's speed"] = ideal / taken[workload.name]
    return figures
