"""Choosing the next token of every row, on the device, each row by its own rules.

Order of the rules, as in transformers: penalties, grammar mask, temperature, top-k, top-p, min-p.
A row's choice depends on its own logits, rules, seed and step only, whatever else is in the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax

from liminal.engine.request import TOP_LOGPROBS

CANDIDATES = 256
"""Tokens looked at when the rules keep no more than that; otherwise the whole vocabulary is."""

NEVER = -1e30


@struct.dataclass
class Rules:
    """The sampling rules of B rows, every array [B].

    temperature f32 (0 is greedy), top_k int32 (0 is off), top_p f32 (1 is off), min_p f32 (0 is off);
    repetition f32 (1 is off; Keskar et al. 2019, arXiv:1909.05858), presence and frequency f32 (0 is
    off; OpenAI's, over generated tokens); seed uint32 [B, 2]; step int32, tokens generated so far;
    constrained bool, whether the row's grammar mask counts; logprobs bool, whether they are wanted.
    """

    temperature: Any
    top_k: Any
    top_p: Any
    min_p: Any
    repetition: Any
    presence: Any
    frequency: Any
    seed: Any
    step: Any
    constrained: Any
    logprobs: Any


@struct.dataclass
class Seen:
    """What each slot has seen: counts int32 [slots, V] of generated tokens, prompt bool [slots, V]."""

    counts: jax.Array
    prompt: jax.Array


@struct.dataclass
class Choice:
    """tokens int32 [B], logprob f32 [B]; top_ids int32 and top_logprobs f32 [B, ≤ TOP_LOGPROBS].

    The log-probabilities are the model's own, before any rule; zeros where no row wants them.
    finite: bool [B], whether the best logit is a number; otherwise the token means nothing.
    """

    tokens: jax.Array
    logprob: jax.Array
    top_ids: jax.Array
    top_logprobs: jax.Array
    finite: jax.Array


def _either(condition: jax.Array, change: Callable[[jax.Array], jax.Array], value: jax.Array) -> jax.Array:
    """change(value) if the scalar condition holds, else value; only the taken side is computed."""

    def same(kept: jax.Array) -> jax.Array:
        return kept

    return cast("jax.Array", lax.cond(condition, change, same, value))


def _repeats(rules: Rules) -> jax.Array:
    return jnp.any((rules.repetition != 1) | (rules.presence != 0) | (rules.frequency != 0))


def sample(
    logits: jax.Array, rules: Rules, mask: jax.Array, seen: Seen, first: jax.Array
) -> tuple[Choice, Seen]:
    """The next token of slots first … first + B - 1.

    logits f32 [B, V]; mask uint32 [B, ⌈V/32⌉], the bit of an allowed token is set.
    """
    batch, vocab = logits.shape
    counts = lax.dynamic_slice(seen.counts, (first, 0), (batch, vocab))
    prompt = lax.dynamic_slice(seen.prompt, (first, 0), (batch, vocab))
    scores = _either(_repeats(rules), lambda x: penalise(x, rules, counts, prompt), logits)
    scores = _either(jnp.any(rules.constrained), lambda x: apply_mask(x, mask, rules.constrained), scores)
    greedy = jnp.argmax(scores, axis=-1).astype(jnp.int32)
    drawn = lax.cond(jnp.any(rules.temperature > 0), lambda: draw(scores, rules), lambda: greedy)
    tokens = jnp.where(rules.temperature > 0, drawn, greedy)
    seen = Seen(seen.counts.at[first + jnp.arange(batch), tokens].add(1), seen.prompt)
    return _with_logprobs(logits, tokens, rules), seen


def _with_logprobs(logits: jax.Array, tokens: jax.Array, rules: Rules) -> Choice:
    top = min(TOP_LOGPROBS, logits.shape[1])
    batch = logits.shape[0]

    def compute() -> tuple[jax.Array, jax.Array, jax.Array]:
        log_probabilities = jax.nn.log_softmax(logits, axis=-1)
        values, ids = lax.top_k(log_probabilities, top)
        return jnp.take_along_axis(log_probabilities, tokens[:, None], 1)[:, 0], ids.astype(jnp.int32), values

    def skip() -> tuple[jax.Array, jax.Array, jax.Array]:
        return jnp.zeros(batch), jnp.zeros((batch, top), jnp.int32), jnp.zeros((batch, top))

    chosen, ids, values = lax.cond(jnp.any(rules.logprobs), compute, skip)
    finite = jnp.isfinite(jnp.max(logits, axis=-1))
    return Choice(tokens, chosen, ids, values, finite)


def penalise(logits: jax.Array, rules: Rules, counts: jax.Array, prompt: jax.Array) -> jax.Array:
    """Logits after the repetition penalty (prompt and answer) and OpenAI's two (answer only)."""
    repetition: jax.Array = rules.repetition[:, None]
    repeated = jnp.where(logits > 0, logits / repetition, logits * repetition)
    out = jnp.where(prompt | (counts > 0), repeated, logits)
    flat: jax.Array = rules.frequency[:, None] * counts + rules.presence[:, None] * (counts > 0)
    return out - flat


def apply_mask(scores: jax.Array, mask: jax.Array, constrained: jax.Array) -> jax.Array:
    """Forbid the tokens whose bit is clear, in constrained rows."""
    vocab = scores.shape[1]
    ids = jnp.arange(vocab)
    allowed = (mask[:, ids // 32] >> (ids % 32).astype(jnp.uint32)) & 1
    return jnp.where((allowed == 1) | ~constrained[:, None], scores, NEVER)


def draw(scores: jax.Array, rules: Rules) -> jax.Array:
    """One token per row from the filtered distribution. scores f32 [B, V] → int32 [B]."""
    vocab = scores.shape[1]
    size = min(CANDIDATES, vocab)
    scaled = scores / jnp.where(rules.temperature > 0, rules.temperature, 1.0)[:, None]
    uniform = jax.vmap(_uniform)(rules.seed, rules.step)
    whole = jax.nn.logsumexp(scaled, axis=-1)
    top, ids = lax.top_k(scaled, size)
    limit = jnp.where(rules.top_k > 0, rules.top_k, vocab)
    keep = jnp.arange(size) < limit[:, None]
    kept = jax.nn.logsumexp(jnp.where(keep, top, NEVER), axis=-1)
    chances = jnp.exp(top - jnp.where(limit <= size, kept, whole)[:, None])
    mass = jnp.cumsum(jnp.where(keep, chances, 0.0), axis=-1)
    floor = rules.min_p[:, None] * chances[:, :1]
    enough = (limit <= size) | (mass[:, -1] >= rules.top_p) | (chances[:, -1] < floor[:, 0])
    enough &= (limit <= size) | (rules.top_k == 0)
    keep &= (mass - chances < rules.top_p[:, None]) & (chances >= floor)
    keep = keep.at[:, 0].set(True)
    ladder = jnp.cumsum(jnp.where(keep, chances, 0.0), axis=-1)
    place = jnp.sum(ladder <= (uniform * ladder[:, -1])[:, None], axis=-1)
    narrow = jnp.take_along_axis(ids, jnp.minimum(place, keep.sum(-1) - 1)[:, None], 1)[:, 0].astype(
        jnp.int32
    )
    wanted = (rules.temperature > 0) & ~enough
    wide = lax.cond(jnp.any(wanted), lambda: _draw_wide(scaled, rules, uniform), lambda: narrow)
    return jnp.where(enough, narrow, wide)


def _uniform(seed: jax.Array, step: jax.Array) -> jax.Array:
    key = jax.random.wrap_key_data(seed, impl="threefry2x32")
    return jax.random.uniform(jax.random.fold_in(key, step))


def _draw_wide(scaled: jax.Array, rules: Rules, uniform: jax.Array) -> jax.Array:
    """As draw, when more than CANDIDATES tokens stay: thresholds instead of a sort."""
    vocab = scaled.shape[1]
    limit = jnp.where(rules.top_k > 0, rules.top_k, vocab)
    weights = jnp.exp(scaled - scaled.max(-1, keepdims=True))

    def most_likely(weights: jax.Array) -> jax.Array:
        def enough(kept: jax.Array) -> jax.Array:
            return jnp.sum(kept, axis=-1) >= limit

        return jnp.where(weights >= _largest_threshold(weights, enough)[:, None], weights, 0.0)

    def nucleus(weights: jax.Array) -> jax.Array:
        target = rules.top_p * weights.sum(-1)

        def enough(kept: jax.Array) -> jax.Array:
            return jnp.sum(jnp.where(kept, weights, 0.0), axis=-1) >= target

        inside = weights >= _largest_threshold(weights, enough)[:, None]
        return jnp.where(inside | (rules.top_p >= 1)[:, None], weights, 0.0)

    weights = _either(jnp.any(limit < vocab), most_likely, weights)
    weights = _either(jnp.any(rules.top_p < 1), nucleus, weights)
    weights = jnp.where(weights >= rules.min_p[:, None], weights, 0.0)
    return _inverse(weights, uniform)


def _largest_threshold(weights: jax.Array, enough: Callable[[jax.Array], jax.Array]) -> jax.Array:
    """Largest t [B] such that ``enough(weights >= t)``, by bisection over the bits of a float in [0, 1]."""

    def body(_: Any, bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bounds
        middle = (low + high) // 2
        ok = enough(weights >= lax.bitcast_convert_type(middle, jnp.float32)[:, None])
        return jnp.where(ok, middle, low), jnp.where(ok, high, middle)

    one = jnp.full(weights.shape[0], 0x3F800001, jnp.int32)
    low, _ = lax.fori_loop(0, 31, body, (jnp.zeros_like(one), one))
    return lax.bitcast_convert_type(low, jnp.float32)


def _inverse(weights: jax.Array, uniform: jax.Array) -> jax.Array:
    """Inverse of the cumulative weights at ``uniform``, in two levels (a flat cumsum is slow on CPU)."""
    batch, vocab = weights.shape
    width = 256
    padded = jnp.pad(weights, ((0, 0), (0, -vocab % width))).reshape(batch, -1, width)
    sums = padded.sum(-1)
    ladder = jnp.cumsum(sums, axis=-1)
    point = uniform * ladder[:, -1]
    last_full = (sums.shape[1] - 1) - jnp.argmax(sums[:, ::-1] > 0, axis=-1)
    chunk = jnp.minimum(jnp.sum(ladder <= point[:, None], axis=-1), last_full)
    inside = jnp.take_along_axis(padded, chunk[:, None, None], 1)[:, 0]
    before = jnp.take_along_axis(ladder - sums, chunk[:, None], 1)[:, 0]
    steps = jnp.cumsum(inside, axis=-1)
    last_kept = (width - 1) - jnp.argmax(inside[:, ::-1] > 0, axis=-1)
    place = jnp.minimum(jnp.sum(steps <= (point - before)[:, None], axis=-1), last_kept)
    return (chunk * width + place).astype(jnp.int32)
