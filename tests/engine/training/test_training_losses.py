"""The gradients that are written by hand, against those that JAX derives."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from liminal.engine.model import attend, attend_causal, segment_mask
from liminal.engine.training import losses

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


@pytest.mark.parametrize("chunk_bytes", [1 << 20, 4 * 50 * 33])
def test_log_probabilities_and_their_gradient_are_right_whole_and_in_chunks(
    monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    monkeypatch.setattr(losses, "CHUNK_BYTES", chunk_bytes)

    def ours(states: jax.Array) -> jax.Array:
        return losses.token_logps(states, HEAD, TARGETS)

    np.testing.assert_allclose(ours(STATES), plain_logps(STATES), atol=1e-5)
    found = jax.grad(lambda states: (ours(states) * WEIGHTS).sum())(STATES)
    np.testing.assert_allclose(
        found, jax.grad(lambda states: (plain_logps(states) * WEIGHTS).sum())(STATES), atol=1e-5
    )


@pytest.mark.parametrize("chunk_bytes", [1 << 20, 8 * 50 * 33])
def test_the_kl_to_the_base_and_its_gradient_are_right_whole_and_in_chunks(
    monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    monkeypatch.setattr(losses, "CHUNK_BYTES", chunk_bytes)

    def ours(states: jax.Array) -> jax.Array:
        return losses.token_kl(states, OTHERS, HEAD)

    np.testing.assert_allclose(ours(STATES), plain_kl(STATES), atol=1e-5)
    np.testing.assert_allclose(losses.token_kl(STATES, STATES, HEAD), 0.0, atol=1e-6)
    found = jax.grad(lambda states: (ours(states) * WEIGHTS).sum())(STATES)
    np.testing.assert_allclose(
        found, jax.grad(lambda states: (plain_kl(states) * WEIGHTS).sum())(STATES), atol=1e-5
    )


@pytest.mark.parametrize("length", [100, 129, 300])
def test_attention_in_blocks_is_attention_at_once(length: int) -> None:
    q, k, v = (
        jax.random.normal(key, (2, length, heads, 16)) for key, heads in zip(KEYS, (4, 2, 2), strict=False)
    )
    segments = jnp.where(jnp.arange(length) < length // 2, 1, 2)[None].repeat(2, 0)
    positions = jnp.arange(length)[None].repeat(2, 0)
    mask = segment_mask(segments, positions, window=None)
    k, v = k.swapaxes(1, 2), v.swapaxes(1, 2)
    np.testing.assert_allclose(attend_causal(q, k, v, mask), attend(q, k, v, mask), atol=1e-6)
