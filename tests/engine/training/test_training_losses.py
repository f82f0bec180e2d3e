"""The gradients that are written by hand, against those that JAX derives."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from liminal.engine.model import attend, attend_causal, segment_mask
from liminal.engine.training import losses, vocabulary

KEYS = jax.random.split(jax.random.key(0), 4)
STATES = 0.3 * jax.random.normal(KEYS[0], (70, 16))
OTHERS = 0.3 * jax.random.normal(KEYS[1], (70, 16))
HEAD = jax.random.normal(KEYS[2], (50, 16))
TARGETS = jax.random.randint(KEYS[3], (70,), 0, 50)
WEIGHTS = jnp.linspace(-1.0, 2.0, 70)


def plain_logps(states: jax.Array) -> jax.Array:
    return jnp.take_along_axis(jax.nn.log_softmax(states @ HEAD.T), TARGETS[:, None], axis=1)[:, 0]


def plain_kl(states: jax.Array) -> jax.Array:
    ours, base = jax.nn.log_softmax(states @ HEAD.T), jax.nn.log_softmax(OTHERS @ HEAD.T)
    return (jnp.exp(ours) * (ours - base)).sum(axis=1)


def assert_same(ours: Callable[[jax.Array], jax.Array], plain: Callable[[jax.Array], jax.Array]) -> None:
    """Value and gradient of a weighted sum agree."""

    def both(function: Callable[[jax.Array], jax.Array]) -> tuple[jax.Array, jax.Array]:
        return jax.jit(lambda s: (function(s), jax.grad(lambda x: (function(x) * WEIGHTS).sum())(s)))(STATES)

    for found, expected in zip(both(ours), both(plain), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("chunk_bytes", [1 << 20, 4 * 50 * 33])
def test_log_probabilities_and_their_gradient_are_right_whole_and_in_chunks(
    monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    monkeypatch.setattr(vocabulary, "CHUNK_BYTES", chunk_bytes)

    def ours(states: jax.Array) -> jax.Array:
        return losses.token_logps(states, HEAD, TARGETS, jnp.int32(70))

    assert_same(ours, plain_logps)


@pytest.mark.parametrize("chunk_bytes", [1 << 20, 8 * 50 * 33])
def test_the_kl_to_the_base_and_its_gradient_are_right_whole_and_in_chunks(
    monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    monkeypatch.setattr(vocabulary, "CHUNK_BYTES", chunk_bytes)

    def ours(states: jax.Array) -> jax.Array:
        return losses.token_kl(states, OTHERS, HEAD)

    assert_same(ours, plain_kl)


def test_what_lies_behind_the_tokens_that_count_is_neither_computed_nor_felt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vocabulary, "CHUNK_BYTES", 4 * 50 * 32)
    # three chunks of 24, of which the third begins behind all that counts
    states = STATES.at[48:].set(jnp.nan)

    def total(states: jax.Array) -> jax.Array:
        return losses.token_logps(states, HEAD, TARGETS, jnp.int32(30))[:30].sum()

    value, slope = jax.jit(jax.value_and_grad(total))(states)
    np.testing.assert_allclose(value, plain_logps(STATES)[:30].sum(), rtol=1e-5)
    assert np.isfinite(slope).all()
    assert not np.asarray(slope[48:]).any()


def test_attention_in_blocks_is_attention_at_once() -> None:
    length = 300
    q = jax.random.normal(KEYS[0], (2, length, 4, 16))
    k, v = (jax.random.normal(key, (2, 2, length, 16)) for key in KEYS[1:3])
    segments = np.where(np.arange(length) < length // 2, 1, 2)[None].repeat(2, 0)
    mask = jax.jit(segment_mask, static_argnums=2)(segments, np.arange(length)[None].repeat(2, 0), None)
    blocks, whole = jax.jit(attend_causal)(q, k, v, mask), jax.jit(attend)(q, k, v, mask)
    np.testing.assert_allclose(blocks, whole, atol=1e-6)
