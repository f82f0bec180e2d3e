"""Measurements of decoding, adapters and embedding. ``liminal bench`` prints them.

Ratios are taken inside one run, alternating what is compared, because a shared machine drifts.
"""

from __future__ import annotations

import dataclasses
import random
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tokenizers
from tokenizers import models

from liminal.engine.bank import AdapterBank, AdapterRegistry
from liminal.engine.config import ModelConfig, small_config
from liminal.engine.encoder import Encoder
from liminal.engine.engine import Engine
from liminal.engine.numerics import quantise
from liminal.engine.options import EngineOptions
from liminal.engine.params import Params, init_lora, init_params
from liminal.engine.peft import Adapter, adapter_from_lora, save_adapter
from liminal.engine.request import NEUTRAL, Delta, Request, Sampling
from liminal.engine.runner import Runner, Shapes
from liminal.engine.sequence import Answer
from liminal.engine.tokenizer import TextStream, Tokenizer

Figures = dict[str, float]
"""Name → value; names end with their unit."""

Progress = Callable[[int, int], None]
GREEDY = Sampling(temperature=0.0, ignore_eos=True, seed=0)


def shape_135m() -> ModelConfig:
    """SmolLM2-135M's shape, which the figures of docs/benchmarks.md are given for."""
    return small_config(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, layers=30, heads=9, kv_heads=3,
        head_dim=64, max_positions=2048, windows=(None,) * 30, rotary=(True,) * 30,
    )  # fmt: skip


def number_tokenizer(vocab: int) -> Tokenizer:
    """A tokenizer of ``vocab`` words, for models with random weights."""
    words = {f"w{index}": index for index in range(vocab)}
    return Tokenizer(tokenizers.Tokenizer(models.WordLevel(words, unk_token="w0")))


def random_adapter(config: ModelConfig, rank: int = 16, seed: int = 0) -> Adapter:
    """An adapter over all linears, small enough to keep the numbers finite."""
    rng = np.random.default_rng(seed)

    def fill(x: jax.Array) -> Any:
        return (rng.standard_normal(x.shape, np.float32) * np.float32(0.01)).astype(np.float32)

    return adapter_from_lora(jax.tree.map(fill, init_lora(config, rank)), alpha=2.0 * rank)


def alternate(runs: Mapping[str, Callable[[], object]], rounds: int, progress: Progress) -> dict[str, float]:
    """Median seconds of each, taken in turns."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for name in runs:
        runs[name]()
    for done in range(rounds):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - began)
        progress(done + 1, rounds)
    return {name: median(values) for name, values in taken.items()}


def reader(nbytes: int) -> Callable[[], object]:
    """Reads ``nbytes`` of f32 once with every core: the yardstick of memory bandwidth."""
    parts = [jnp.ones((nbytes // 8 // 4 // 1024, 1024), jnp.float32) for _ in range(8)]
    vector = jnp.ones((1, 1024), jnp.float32)

    @jax.jit
    def read(parts: Sequence[jax.Array], vector: jax.Array) -> list[jax.Array]:
        return [(part @ vector.T).sum() for part in parts]

    def run() -> None:
        jax.block_until_ready(read(parts, vector))

    return run


class Steps:
    """Decoding steps of a runner at a fixed position, for timing."""

    def __init__(
        self, config: ModelConfig, params: Params, rows: int = 0, slots: int = 8, context: int = 1024
    ) -> None:
        """A runner of its own with ``rows`` rank rows."""
        self.runner = Runner(config, params, Shapes(slots, context, (128,), rows))
        self.registry = AdapterRegistry(config, 1 << 40)
        self.bank = AdapterBank(self.registry, rows, self.runner.write_page)
        self._tokenizer = number_tokenizer(16)

    def answer(self, prompt: list[int], slot: int = 0) -> Answer:
        """An answer in a slot that has generated one token."""
        return Answer(
            prompt=prompt,
            system_tokens=0,
            sampling=GREEDY.over(NEUTRAL),
            mixture=(),
            limit=1,
            ends=frozenset(),
            stream=TextStream(self._tokenizer),
            sink=lambda _: None,
            generated=[1],
            slot=slot,
        )

    def step(
        self, batch: int, mixtures: Sequence[Mapping[str, float]] = (), at: int = 200
    ) -> Callable[[], object]:
        """A function that decodes and samples one token for each of ``batch`` answers."""
        for content in {content for mixture in mixtures for content in mixture}:
            self.bank.acquire([content])
        answers = [self.answer([1] * at, slot) for slot in range(batch)]
        for answer, mixture in zip(answers, mixtures, strict=False):
            answer.gates = self.bank.gate_row(mixture)

        def run() -> None:
            for answer in answers:
                answer.filled = at
            self.runner.sample(self.runner.decode(answers), answers, 0)

        return run


def bench_decode(rounds: int, progress: Progress) -> Figures:
    """Steps at batch 1 and 8 in f32 and int8, against the bandwidth measured between them."""
    config = shape_135m()
    params = init_params(config)
    weights = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
    plain, small = Steps(config, params), Steps(config, quantise(params))
    prompt = [3] * 128
    first = plain.answer(prompt)

    def prefill() -> None:
        first.filled = 0
        jax.block_until_ready(plain.runner.prefill(first, prompt))

    taken = alternate(
        {
            "read": reader(weights),
            "f32 1": plain.step(1),
            "f32 8": plain.step(8),
            "int8 1": small.step(1),
            "int8 8": small.step(8),
            "prefill": prefill,
        },
        rounds,
        progress,
    )
    return {
        "bandwidth GB/s": weights / taken["read"] / 1e9,
        "batch 1 step ms": taken["f32 1"] * 1e3,
        "batch 1 share of bandwidth": taken["read"] / taken["f32 1"],
        "batch 8 step ms": taken["f32 8"] * 1e3,
        "batch 8 tok/s": 8 / taken["f32 8"],
        "int8 batch 1 step ms": taken["int8 1"] * 1e3,
        "int8 batch 8 step ms": taken["int8 8"] * 1e3,
        "int8 over f32 at batch 8": taken["f32 8"] / taken["int8 8"],
        "prefill of 128 tokens ms": taken["prefill"] * 1e3,
    }


def bench_adapters(rounds: int, progress: Progress) -> Figures:
    """Eight rows without, with one, with eight adapters and with mixtures of all eight."""
    config = shape_135m()
    steps = Steps(config, init_params(config), rows=128)
    contents = [steps.registry.register(f"a{seed}", random_adapter(config, 16, seed)) for seed in range(8)]
    each = [{content: 1.0} for content in contents]
    taken = alternate(
        {
            "base": steps.step(8),
            "one": steps.step(8, [each[0]] * 8),
            "eight": steps.step(8, each),
            "mixtures": steps.step(8, [dict.fromkeys(contents, 0.3)] * 8),
            "base 1": steps.step(1),
            "one 1": steps.step(1, each[:1]),
        },
        rounds,
        progress,
    )
    return {
        "batch 8 base step ms": taken["base"] * 1e3,
        "eight adapters over base": taken["eight"] / taken["base"],
        "eight adapters over one": taken["eight"] / taken["one"],
        "mixtures of eight over base": taken["mixtures"] / taken["base"],
        "batch 1 with an adapter over base": taken["one 1"] / taken["base 1"],
        "disk into bank ms": load_time(config, steps) * 1e3,
    }


def load_time(config: ModelConfig, steps: Steps, times: int = 7) -> float:
    """Median seconds from a PEFT folder to rank rows in the bank: read, checked, hashed, written."""
    bank = AdapterBank(steps.registry, steps.bank.rows, steps.runner.write_page)
    taken: list[float] = []
    for seed in range(times):
        with tempfile.TemporaryDirectory() as folder:
            save_adapter(folder, random_adapter(config, 16, 100 + seed))
            began = time.perf_counter()
            content = steps.registry.register(f"timed{seed}", folder)
            bank.acquire([content])
            jax.block_until_ready(steps.runner.bank)
            taken.append(time.perf_counter() - began)
            bank.release([content])
            bank.evict(content)
    return median(taken[1:])


def bench_registered(requests: int, progress: Progress) -> Figures:
    """Tokens a second under a power law of requests over 5 and over 1,000 registered adapters."""
    config = shape_135m()
    options = EngineOptions(slots=8, context=256, rows=128, chunks=(32,), warm=False, adapter_bytes=1 << 40)
    rates: dict[int, list[float]] = {5: [], 1000: []}
    with Engine(config, init_params(config), number_tokenizer(config.vocab_size), options) as engine:
        base = random_adapter(config, 16)
        for index in range(1000):
            engine.adapters.register(str(index), variant(base, index))
        _serve(engine, 8, 5)
        for done in range(4):
            count = (5, 1000)[done % 2]
            rates[count].append(_serve(engine, requests, count))
            progress(done + 1, 4)
    few, many = (max(rates[count]) for count in (5, 1000))
    return {"5 registered tok/s": few, "1000 registered tok/s": many, "1000 over 5": many / few}


def variant(base: Adapter, index: int) -> Adapter:
    """An adapter that differs from ``base`` in one tensor and shares the memory of the others."""
    key = next(iter(base.tensors))
    a, b = base.tensors[key]
    changed = {**base.tensors, key: (a + np.float32(1e-4 * (index + 1)), b)}
    return dataclasses.replace(base, tensors=changed)


def _serve(engine: Engine, requests: int, adapters: int, tokens: int = 48) -> float:
    """Tokens a second of ``requests`` answers, all asked at once."""
    weights = [1 / (rank + 1) for rank in range(adapters)]
    names = random.Random(7).choices(range(adapters), weights, k=requests)
    done = threading.Semaphore(0)

    def sink(item: Delta | BaseException) -> None:
        if isinstance(item, BaseException) or item.finish is not None:
            done.release()

    began = time.perf_counter()
    for number, name in enumerate(names):
        prompt = [(number * 31 + at) % 1000 for at in range(24)]
        rules = dataclasses.replace(GREEDY, max_tokens=tokens)
        engine.submit(Request(prompt=prompt, adapters={str(name): 1.0}, sampling=rules), sink)
    for _ in names:
        done.acquire()
    return requests * tokens / (time.perf_counter() - began)


def bench_embed(rounds: int, progress: Progress) -> Figures:
    """Texts a second of the default encoder, by length, and the latency of a single one."""
    encoder = Encoder.load()
    lengths = {"short": 10, "medium": 50, "long": 200}
    texts = {name: [" ".join(["word"] * words)] * (2048 // words) for name, words in lengths.items()}
    runs: dict[str, Callable[[], object]] = {
        name: (lambda chosen=chosen: encoder.embed(chosen)) for name, chosen in texts.items()
    }
    runs["single"] = lambda: encoder.embed(texts["short"][:1])
    taken = alternate(runs, rounds, progress)
    figures = {f"{name} texts/s": len(texts[name]) / taken[name] for name in lengths}
    return figures | {"single ms": taken["single"] * 1e3}
