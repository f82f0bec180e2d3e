"""Pre-training of the bundled model on CPU: Muon for the matrices, Adam for the rest."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tokenizers import Tokenizer

from liminal.engine.bundled.batches import CHUNK, chunk_batches
from liminal.engine.bundled.network import Shape, Weights, dot, initial_weights, loss, matrices, transposed

State = dict[str, Weights]
"""``weights``, and the moments ``first`` and ``second`` under the same names."""


@dataclass(frozen=True)
class Plan:
    """How long and how fast to learn.

    The rate warms up, stays, and falls linearly to zero over the last ``cooldown`` steps of
    ``steps``; so a run can be continued with more steps from a checkpoint before its cool-down.
    """

    steps: int
    cooldown: int
    warmup: int = 60
    matrix_rate: float = 0.01
    other_rate: float = 0.002
    momentum: float = 0.95
    seed: int = 1
    chunk: int = CHUNK

    def rate(self, step: int) -> float:
        """The share of the full rate at a step."""
        return min(1.0, (step + 1) / self.warmup, max(0.0, (self.steps - step) / max(1, self.cooldown)))


def orthogonal(update: jax.Array) -> jax.Array:
    """Nearly the nearest orthogonal matrices to update [L, m, n], by four Newton–Schulz steps.

    Muon, Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon/).
    """
    tall = update.shape[-2] > update.shape[-1]
    x = transposed(update) if tall else update
    x = x / (jnp.sqrt(jnp.sum(x * x, axis=(-2, -1), keepdims=True)) + 1e-7)
    for _ in range(4):
        square = dot(x, x, 1)
        x = 3.4445 * x + dot(-4.7750 * square + 2.0315 * dot(square, square, 0), x, 0)
    return transposed(x) if tall else x


@partial(jax.jit, static_argnums=(1,), donate_argnums=0)
def step(
    state: State,
    shape: Shape,
    batch: dict[str, jax.Array],
    count: jax.Array,
    matrix_rate: jax.Array,
    rate: jax.Array,
) -> tuple[State, jax.Array]:
    """One step of training; returns the new state and the loss of the batch."""
    value, gradient = jax.value_and_grad(loss)(state["weights"], shape, batch)
    weights, first, second = (dict(state[name]) for name in ("weights", "first", "second"))
    kinds: dict[str, list[str]] = {}
    for name in matrices(shape):
        kinds.setdefault(name.split(".", 3)[3], []).append(name)
    for names in kinds.values():
        grown = jnp.stack([first[name] * 0.95 + gradient[name] for name in names])
        ahead = jnp.stack([gradient[name] for name in names]) + 0.95 * grown
        turned = orthogonal(ahead)
        scale = max(1.0, turned.shape[-2] / turned.shape[-1]) ** 0.5
        for place, name in enumerate(names):
            first[name] = grown[place]
            weights[name] = weights[name] * (1 - 0.01 * matrix_rate) - matrix_rate * scale * turned[place]
    for name in set(weights) - set(matrices(shape)):
        first[name] = 0.9 * first[name] + 0.1 * gradient[name]
        second[name] = 0.98 * second[name] + 0.02 * gradient[name] ** 2
        mean = first[name] / (1 - 0.9**count)
        spread = jnp.sqrt(second[name] / (1 - 0.98**count))
        weights[name] = weights[name] - rate * mean / (spread + 1e-8)
    return {"weights": weights, "first": first, "second": second}, value


def initial_state(shape: Shape, seed: int) -> State:
    """Random weights and empty moments."""
    weights = initial_weights(shape, seed)
    others = set(weights) - set(matrices(shape))
    return {
        "weights": weights,
        "first": {name: jnp.zeros_like(value) for name, value in weights.items()},
        "second": {name: jnp.zeros_like(weights[name]) for name in others},
    }


def save_checkpoint(path: Path, state: State, done: int, chunk: int) -> None:
    """The state after ``done`` steps, at the start of a chunk; written beside and renamed."""
    arrays = {
        f"{part}/{name}": np.asarray(value)
        for part, values in state.items()
        for name, value in values.items()
    }
    beside = path.with_suffix(".tmp.npz")
    np.savez(beside, done=done, chunk=chunk, **arrays)  # type: ignore[arg-type]
    beside.replace(path)


def load_checkpoint(path: Path) -> tuple[State, int, int]:
    """What ``save_checkpoint`` wrote."""
    state: State = {"weights": {}, "first": {}, "second": {}}
    with np.load(path) as arrays:
        for key in arrays.files:
            if "/" in key:
                part, name = key.split("/", 1)
                state[part][name] = jnp.asarray(arrays[key])
        return state, int(arrays["done"]), int(arrays["chunk"])


def pretrain(
    tokenizer: Tokenizer,
    shape: Shape,
    plan: Plan,
    checkpoint: Path,
    report: Callable[[dict[str, Any]], None],
    save_every: float = 240.0,
) -> Weights:
    """Train until the plan's last step, from the checkpoint where there is one."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    state, done, chunk = (
        load_checkpoint(checkpoint) if checkpoint.exists() else (initial_state(shape, plan.seed), 0, 0)
    )
    saved = began = time.monotonic()
    tokens = 0
    while done < plan.steps:
        losses: list[jax.Array] = []
        for batch in chunk_batches(tokenizer, plan.seed, chunk, plan.chunk):
            if done >= plan.steps:
                break
            share = plan.rate(done)
            rates = (jnp.float32(plan.matrix_rate * share), jnp.float32(plan.other_rate * share))
            device = {name: jnp.asarray(part) for name, part in batch.items()}
            state, value = step(state, shape, device, jnp.float32(done + 1), *rates)
            losses.append(value)
            tokens += int((batch["segments"] > 0).sum())
            done += 1
        chunk += 1
        mean = float(jnp.mean(jnp.stack(losses)))
        seconds = time.monotonic() - began
        report(
            {
                "step": done,
                "chunk": chunk,
                "loss": mean,
                "tokens": tokens,
                "seconds": seconds,
                "rate": plan.rate(done),
            }
        )
        if time.monotonic() - saved > save_every or done >= plan.steps:
            save_checkpoint(checkpoint, state, done, chunk)
            saved = time.monotonic()
    return state["weights"]
