"""A model's files in the numbers that they are served in: what it costs in perplexity, and how fast it is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal, cast

import jax
import jax.numpy as jnp
import numpy as np

from liminal.engine.bench import Figures, Progress, Steps, alternate, reader
from liminal.engine.cache import Cache, init_cache, prefill_chunk
from liminal.engine.errors import ModelNotFound
from liminal.engine.model import forward
from liminal.engine.numerics import compute_dtype, quantise
from liminal.engine.options import EngineOptions
from liminal.engine.params import Params
from liminal.engine.source import ModelFiles, open_model

Perplexed = Literal["blocks", "int8", "bfloat16"]
WINDOW = 512
DOCS = Path(__file__).parents[3] / "docs"


def params_in(files: ModelFiles, numbers: str) -> Params:
    """The parameters in float numbers, ``int8`` or ``blocks``."""
    if numbers == "blocks":
        return files.packed()
    if numbers == "int8":
        return quantise(files.params(jnp.float32))
    return files.params(compute_dtype(cast("Any", numbers)))


def bench_perplexity(path: Path, numbers: Perplexed, windows: int, progress: Progress) -> Figures:
    """Perplexity over windows of 512 tokens of docs/*.md, and the KL divergence from f32 in nats a token."""
    files = open_model(path)
    pages = sorted(DOCS.glob("*.md"))
    if not pages:
        raise ModelNotFound(f"there is no prose in {DOCS}")
    tokens = files.tokenizer().encode("\n".join(page.read_text() for page in pages))
    count = min(windows, len(tokens) // WINDOW)

    @jax.jit
    def likelihoods(params: Params, tokens: jax.Array) -> jax.Array:
        logits = forward(params, files.config, tokens[None])[0].astype(jnp.float32)
        return jax.nn.log_softmax(logits, axis=-1)

    wide, narrow = files.params(jnp.float32), params_in(files, numbers)
    sums = np.zeros(3)
    for window in range(count):
        row = jnp.asarray(tokens[window * WINDOW : (window + 1) * WINDOW], jnp.int32)
        exact, rounded = likelihoods(wide, row), likelihoods(narrow, row)
        own = [-jnp.take_along_axis(each[:-1], row[1:, None], 1).mean() for each in (exact, rounded)]
        divergence = (jnp.exp(exact) * (exact - rounded)).sum(axis=-1).mean()
        sums += [float(own[0]), float(own[1]), float(divergence)]
        progress(window + 1, count)
    exact_loss, loss, divergence = sums / count
    return {
        "perplexity f32": math.exp(exact_loss),
        f"perplexity {numbers}": math.exp(loss),
        "perplexity over f32": math.exp(loss - exact_loss),
        "divergence from f32": divergence,
    }


def bench_speed(path: Path, rounds: int, progress: Progress) -> Figures:
    """Steps at batch 1 and 8 after 200 tokens, with sampling, and prompts, against the bandwidth."""
    files = open_model(path)
    options = EngineOptions()
    numbers = options.numbers_for(files)
    params = params_in(files, numbers)
    weights = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
    steps = Steps(files.config, params)
    runs = {"read": reader(weights), "1": steps.step(1), "8": steps.step(8)}
    runs |= {f"prompt {size}": _prompt(files, params, size) for size in (128, 512)}
    taken = alternate(runs, rounds, progress)
    return {
        "weights MB": weights / 1e6,
        "bandwidth GB/s": weights / taken["read"] / 1e9,
        "batch 1 step ms": taken["1"] * 1e3,
        "batch 1 share of bandwidth": taken["read"] / taken["1"],
        "batch 8 step ms": taken["8"] * 1e3,
        "batch 8 tok/s": 8 / taken["8"],
        "prompt of 128 tokens ms": taken["prompt 128"] * 1e3,
        "prompt of 512 tokens ms": taken["prompt 512"] * 1e3,
    }


def _prompt(files: ModelFiles, params: Params, size: int) -> Any:
    """Computes a prompt of that many tokens, in one chunk."""

    def compute(params: Params, cache: Cache, tokens: Any) -> Any:
        zero, count = jnp.int32(0), jnp.int32(size)
        return prefill_chunk(params, files.config, cache, tokens, zero, zero, count)

    program = jax.jit(compute, donate_argnums=1)
    held = {"cache": init_cache(files.config, 1, 2 * size, params.norm.dtype)}
    tokens = jnp.arange(size, dtype=jnp.int32) % files.config.vocab_size

    def run() -> None:
        logits, held["cache"] = program(params, held["cache"], tokens)
        logits.block_until_ready()

    return run
