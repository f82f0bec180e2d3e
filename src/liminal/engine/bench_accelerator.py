"""Measurements on an accelerator: a model of Qwen3-8B's shape with random weights, made on the device."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp

from liminal.engine.bench import Figures, Progress, Steps, random_adapter, variant
from liminal.engine.config import ModelConfig, small_config
from liminal.engine.numerics import compute_dtype
from liminal.engine.params import TARGETS, Layer, Linear, Params

CONTEXT = 1024
"""Tokens of each answer in the full batch."""


def shape_qwen3_8b() -> ModelConfig:
    """Qwen3-8B's shape: 8.2 billion parameters."""
    return small_config(
        family="qwen3", vocab_size=151936, hidden_size=4096, intermediate_size=12288, layers=36, heads=32,
        kv_heads=8, head_dim=128, max_positions=40960, norm_eps=1e-6, rope_theta=1e6, tied=False,
        qk_norm=True, windows=(None,) * 36, rotary=(True,) * 36,
    )  # fmt: skip


def device_params(config: ModelConfig, dtype: Any) -> Params:
    """Random weights that never were in host memory: normal with deviation 0.02."""
    keys = iter(jax.random.split(jax.random.key(0), config.layers * len(TARGETS) + 2))

    @partial(jax.jit, static_argnums=1)
    def normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return (0.02 * jax.random.normal(key, shape, jnp.float32)).astype(dtype)

    def linear(out: int, inner: int) -> Linear:
        return Linear(normal(next(keys), (out, inner)))

    def ones(size: int) -> jax.Array:
        return jnp.ones((size,), dtype)

    def layer() -> Layer:
        parts: dict[str, Any] = {name: linear(*config.linear_shapes()[name]) for name in TARGETS}
        hidden, head = config.hidden_size, ones(config.head_dim) if config.qk_norm else None
        return Layer(input_norm=ones(hidden), post_norm=ones(hidden), q_norm=head, k_norm=head, **parts)

    embed = linear(config.vocab_size, config.hidden_size)
    head = None if config.tied else linear(config.vocab_size, config.hidden_size)
    return Params(embed, tuple(layer() for _ in range(config.layers)), ones(config.hidden_size), head)


def copy_bandwidth(nbytes: int) -> Callable[[], float]:
    """Bytes a second that the device reads and writes in copying ``nbytes``."""
    source = jnp.ones((nbytes // 4,), jnp.float32)

    @jax.jit
    def copy(x: jax.Array) -> jax.Array:
        return x + 1

    jax.block_until_ready(copy(source))

    def run(times: int = 10) -> float:
        began = time.perf_counter()
        made = source
        for _ in range(times):
            made = copy(source)
        jax.block_until_ready(made)
        return 2 * source.nbytes * times / (time.perf_counter() - began)

    return run


def bench_accelerator(
    rounds: int, progress: Progress, config: ModelConfig | None = None, batch: int = 64, copied: int = 2 << 30
) -> Figures:
    """Steps (decode and sample, tokens on the host after each) at batch 1 and ``batch``, 0 and 8 adapters."""
    config = config or shape_qwen3_8b()
    params = device_params(config, compute_dtype())
    # the embedding's rows are looked up, not read
    unread = 0 if config.tied else params.embed.weight.nbytes
    weights = sum(leaf.nbytes for leaf in jax.tree.leaves(params)) - unread
    steps = Steps(config, params, rows=128, slots=batch, context=CONTEXT + 128)
    base = random_adapter(config, 16)
    contents = [steps.registry.register(f"a{seed}", variant(base, seed)) for seed in range(8)]
    mixtures = [{contents[slot % 8]: 1.0} for slot in range(batch)]
    runs = {
        "one": steps.step(1, at=CONTEXT - 1),
        "base": steps.step(batch, at=CONTEXT - 1),
        "eight": steps.step(batch, mixtures, at=CONTEXT - 1),
    }
    keys = [("decode", 1, "none"), ("decode", batch, "none"), ("decode", batch, "all")]
    steps.runner.programs.warm([*keys, ("sample", 1), ("sample", batch)], workers=5)
    bandwidth = copy_bandwidth(copied)
    taken: dict[str, list[float]] = {name: [] for name in (*runs, "copy")}
    for run in runs.values():
        run()
    for done in range(rounds):
        taken["copy"].append(bandwidth())
        for name, run in runs.items():
            for _ in range(10):
                began = time.perf_counter()
                run()
                taken[name].append(time.perf_counter() - began)
        progress(done + 1, rounds)
    middle = {name: median(values) for name, values in taken.items()}
    return {
        "copy GB/s": middle["copy"] / 1e9,
        "batch 1 step ms": middle["one"] * 1e3,
        "batch 1 share of bandwidth": weights / middle["one"] / middle["copy"],
        f"batch {batch} at 1k step ms": middle["base"] * 1e3,
        f"batch {batch} at 1k tok/s": batch / middle["base"],
        "eight adapters step ms": middle["eight"] * 1e3,
        "eight adapters over base": middle["eight"] / middle["base"],
    }
