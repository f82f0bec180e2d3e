"""What a run takes before it begins: floating point operations, bytes beside the weights, seconds here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp

from liminal.engine.config import ModelConfig
from liminal.engine.memory import readable
from liminal.engine.training.bank import TrainingBank
from liminal.engine.training.encoding import Encoded
from liminal.engine.training.errors import TrainingConfigInvalid
from liminal.engine.training.plan import Plan
from liminal.engine.training.vocabulary import CHUNK_BYTES

SHARE = 0.7
"""What a step reaches of a bare product's speed: below the 0.78 of docs/benchmarks.md (chat rows)."""
PROGRAM_SECONDS, LAYER_SECONDS = 1.0, 0.25
"""Compiling a program, and each layer that it runs forward and backward; once, then programs are kept."""
CALIBRATION_ROWS = 1024


@dataclass(frozen=True)
class Work:
    """Floating point operations of a run, padding included.

    Attributes:
      lower: the layers below the first that is adapted, once for each sequence.
      teachers: what the base says where answers are held to it, once.
      steps: forward and backward through the adapted layers, and the vocabulary.
      tokens: real tokens that steps run; padded: with padding.
    """

    lower: float
    teachers: float
    steps: float
    tokens: int
    padded: int

    @property
    def total(self) -> float:
        """Their sum."""
        return self.lower + self.teachers + self.steps


@dataclass(frozen=True)
class Memory:
    """Bytes that a run takes beside the weights, by construction from its settings.

    Attributes:
      kept: states that enter the first adapted layer, and teachers' rows.
      adapters: rank rows, their gradients and moments.
      pass_: what the largest forward and backward pass holds; vocabulary: logits at hand.
    """

    kept: int
    adapters: int
    pass_: int
    vocabulary: int

    @property
    def total(self) -> int:
        """Their sum."""
        return self.kept + self.adapters + self.pass_ + self.vocabulary


def run_memory(plan: Plan, bank: TrainingBank) -> Memory:
    """Of a planned run."""
    config, seen = bank.config, _seen(plan)
    width = 4 * config.hidden_size
    held = sum(len(sequence.kept) for sequence in seen)
    kept = (sum(map(len, seen)) if bank.first else 0) + held
    rows = (
        sum(sum(config.linear_shapes()[target]) for targets in bank.targets for target in targets)
        * bank.total
    )
    largest = max(
        _pass_bytes(config, shape.rows, shape.length, len(bank.targets) - bank.first)
        for shape in plan.shapes.values()
    )
    taught = max(shape.targets + shape.held + shape.kl for shape in plan.shapes.values())
    return Memory(
        kept=kept * width,
        # the rows, two gradients while they are added, both moments, and an update
        adapters=6 * 4 * rows,
        pass_=largest,
        vocabulary=4 * CHUNK_BYTES + 4 * width * taught,
    )


def fitted(plan: Plan, bank: TrainingBank) -> Plan:
    """The plan, with passes as small as its settings' ``memory_bytes`` need.

    Raises TrainingConfigInvalid when not even one row at a time fits.
    """
    wanted, known = plan.config, plan
    while (needed := run_memory(known, bank).total) > wanted.memory_bytes:
        if known.config.micro_tokens < 128:
            # rows are as short as the longest sequence allows, and run one at a time
            break
        known = Plan(plan.jobs, replace(wanted, micro_tokens=known.config.micro_tokens // 2))
    else:
        return known
    raise TrainingConfigInvalid(
        f"a run of this takes {readable(needed)} beside the weights, and {readable(wanted.memory_bytes)} are "
        "allowed: shorten max_length, adapt fewer layers, or raise memory_bytes",
        field="memory_bytes",
    )


def _pass_bytes(config: ModelConfig, rows: int, length: int, layers: int) -> int:
    """What the backward pass needs of every layer's forward pass.

    ``remat`` changes little of it on a processor: XLA merges what is computed again with what was there
    (1,286 MiB instead of 1,402 for ten layers of SmolLM2-135M and 2,048 tokens).
    """
    heads, kv = config.heads * config.head_dim, config.kv_heads * config.head_dim
    # beside each linear's input and output: the residual's copies, both norms, rotation, SwiGLU's parts
    token = 6 * config.hidden_size + 3 * heads + 4 * kv + 5 * config.intermediate_size
    scores = 2 * config.heads * length
    return (layers + 1) * 4 * rows * length * (token + scores)


def run_work(plan: Plan, bank: TrainingBank) -> Work:
    """Of a planned run."""
    config = bank.config
    linears = float(sum(out * inner for out, inner in config.linear_shapes().values()))
    vocabulary = 4.0 * config.vocab_size * config.hidden_size
    upper = len(bank.targets) - bank.first
    rank = 6.0 * bank.total * sum(sum(shape) for shape in config.linear_shapes().values())
    seen = _seen(plan)
    held = [sequence for sequence in seen if len(sequence.kept)]
    steps, tokens, padded = 0.0, 0, 0
    for step in range(plan.steps):
        for length, _, placed in plan.micros(step):
            shape = plan.shapes[length]
            attention = 12.0 * config.heads * config.head_dim * length
            ran = [piece.sequence for each in placed for piece in each.pieces]
            steps += shape.rows * length * upper * (4 * linears + attention + rank)
            steps += vocabulary * sum(sequence.targets + len(sequence.kept) for sequence in ran)
            tokens += sum(map(len, ran))
            padded += shape.rows * length
    return Work(
        lower=2 * linears * bank.first * sum(map(len, seen)),
        teachers=2 * linears * upper * sum(map(len, held))
        + vocabulary * sum(len(sequence.kept) for sequence in held),
        steps=steps,
        tokens=tokens,
        padded=padded,
    )


def _seen(plan: Plan) -> Sequence[Encoded]:
    """Every sequence that the base reads, once, and what is held to it."""
    sequences = [sequence for item in plan.seen() for sequence in item.sequences]
    read = [sequence.read_by_base for sequence in sequences]
    return list({(s.tokens.tobytes(), s.kept.tobytes()): s for s in [*sequences, *read]}.values())


def product_speed(config: ModelConfig) -> float:
    """Floating point operations a second of a bare product of the model's own shape, measured now (≈ 1 s)."""
    out, inner = config.linear_shapes()["gate_proj"]
    left = jnp.ones((CALIBRATION_ROWS, inner), jnp.float32)
    right = jnp.ones((out, inner), jnp.float32)

    @jax.jit
    def multiply(left: jax.Array, right: jax.Array) -> jax.Array:
        return (right @ left.T).T

    jax.block_until_ready(multiply(left, right))
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        jax.block_until_ready(multiply(left, right))
        best = min(best, time.perf_counter() - began)
    return 2.0 * CALIBRATION_ROWS * out * inner / best


def run_seconds(work: Work, speed: float) -> float:
    """Seconds of a run at ``speed`` of a bare product, programs at hand."""
    return work.total / (SHARE * speed)


def compile_seconds(bank: TrainingBank) -> float:
    """Seconds that a first run spends on compiling."""
    layers = len(bank.targets)
    return 4 * PROGRAM_SECONDS + LAYER_SECONDS * (layers + 3 * (layers - bank.first))
