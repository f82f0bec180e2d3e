"""The decoder's own laws, beside the golden values of tests/parity."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh
from tests.engine.conftest import tokens_of
from tests.engine.models import lively_adapter, lively_params, tiny_config

from liminal.engine.cache import (
    Cache,
    decode_step,
    init_cache,
    move_slot,
    prefill_chunk,
    read_span,
    write_span,
)
from liminal.engine.config import ModelConfig
from liminal.engine.model import forward, linear
from liminal.engine.numerics import quantise, quantise_linear
from liminal.engine.params import Linear, Params
from liminal.engine.sharding import AXIS, shard_params


@pytest.fixture(scope="module", params=["all", "gemma"])
def windowed(request: pytest.FixtureRequest) -> tuple[ModelConfig, Params]:
    """A model that has everything (window, layer without rotation, biases, QK norm), and one like Gemma."""
    config = tiny_config(windows=(24, None), rotary=(True, False), qk_norm=True, qkv_bias=True, tied=False)
    if request.param == "gemma":
        own = {"sandwich": True, "embed_scale": 32**0.5, "query_scale": 0.8, "activation": "gelu_tanh"}
        config = tiny_config(windows=(24, None), qk_norm=True, local_theta=500.0, **own)
    return config, lively_params(config, 3)


def test_packed_sequences_do_not_see_each_other(config: ModelConfig, params: Params) -> None:
    first, second = tokens_of(1, 20), tokens_of(2, 12)
    run = jax.jit(
        lambda tokens, positions, segments: forward(
            params, config, tokens, positions=positions, segments=segments
        )
    )
    packed = run(
        np.array([first + second]), np.array([[*range(20), *range(12)]]), np.array([[1] * 20 + [2] * 12])
    )
    alone = run(np.array([second + [0] * 20]), np.arange(32)[None], np.array([[1] * 12 + [0] * 20]))
    np.testing.assert_allclose(packed[0, 20:], alone[0, :12], atol=1e-5)


def test_rematerialisation_changes_no_gradient(config: ModelConfig, params: Params) -> None:
    tokens = np.array([tokens_of(3, 16)])
    lora = lively_adapter(config, 2, 5).lora(config)

    def loss(lora: object, remat: bool) -> jax.Array:
        logits = forward(params, config, tokens, lora=lora, gates=jnp.ones((1, 2)), remat=remat)
        return jnp.mean(jax.nn.logsumexp(logits, axis=-1))

    plain, again = (jax.jit(jax.grad(lambda x, r=remat: loss(x, r)))(lora) for remat in (False, True))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), plain, again)


def test_int8_weights_are_off_by_no_more_than_half_a_step() -> None:
    rng = np.random.default_rng(0)
    weight, x = (
        rng.standard_normal((48, 96)).astype(np.float32),
        rng.standard_normal((5, 96)).astype(np.float32),
    )
    small = quantise_linear(Linear(jnp.asarray(weight)))
    assert small.scale is not None
    restored = np.asarray(small.weight) * np.asarray(small.scale)[:, None]
    assert np.all(np.abs(restored - weight) <= np.asarray(small.scale)[:, None] / 2 + 1e-7)
    # beside the weight's own rounding, the product is exact to 15 bits of each row's largest activation
    product = np.asarray(linear(small, jnp.asarray(x)))
    bound = np.abs(x).max(1, keepdims=True) / 127 / 254 / 2 * np.abs(restored).sum(1) * 1.01 + 1e-5
    assert np.all(np.abs(product - x @ restored.T) <= bound)


def test_an_int8_model_stays_close_to_the_float_one(config: ModelConfig, params: Params) -> None:
    tokens = np.array([tokens_of(4, 24)])
    run = jax.jit(lambda p: forward(p, config, tokens))
    exact, small = run(params), run(quantise(params))
    assert float(jnp.abs(exact - small).max()) < 0.1 * float(jnp.abs(exact).max())


def test_a_cache_gives_what_whole_sequences_give(windowed: tuple[ModelConfig, Params]) -> None:
    config, params = windowed
    tokens = np.array(tokens_of(5, 300), np.int32)
    whole = jax.jit(lambda t: forward(params, config, t))(tokens[None])[0]
    prefill = jax.jit(lambda c, t, s, n: prefill_chunk(params, config, c, t, jnp.int32(1), s, n))
    decode = jax.jit(lambda c, t, p: decode_step(params, config, c, t, p, jnp.int32(2)))
    cache = init_cache(config, 2, 320)
    for start in range(0, 256, 64):
        logits, cache = prefill(cache, tokens[start : start + 64], np.int32(start), np.int32(64))
        np.testing.assert_allclose(logits[0], whole[start + 63], atol=2e-4)
    logits, cache = prefill(cache, np.pad(tokens[256:290], (0, 30)), np.int32(256), np.int32(34))
    np.testing.assert_allclose(logits[0], whole[289], atol=2e-4)
    for at in range(290, 300):
        idle = cache.length - 1
        logits, cache = decode(cache, np.array([0, tokens[at]], np.int32), np.array([idle, at], np.int32))
        np.testing.assert_allclose(logits[1], whole[at], atol=2e-4)


def test_parameters_laid_out_over_devices_are_the_same_model() -> None:
    config = tiny_config(sandwich=True, qk_norm=True, embed_scale=32**0.5)
    params = lively_params(config, 3)
    placed = shard_params(params, Mesh(np.array(jax.devices()[:1]), (AXIS,)))
    tokens = np.array([tokens_of(6, 8)])
    np.testing.assert_allclose(forward(placed, config, tokens), forward(params, config, tokens), atol=1e-5)


def test_slots_and_spans_move_whole(config: ModelConfig) -> None:
    rng = np.random.default_rng(1)
    cache: Cache = jax.tree.map(
        lambda x: jnp.asarray(rng.standard_normal(x.shape), jnp.float32), init_cache(config, 3, 256)
    )
    moved = move_slot(cache, jnp.int32(2), jnp.int32(0))
    np.testing.assert_array_equal(moved.keys[1][0], cache.keys[1][2])
    np.testing.assert_array_equal(moved.keys[1][1:], cache.keys[1][1:])
    span = read_span(cache, jnp.int32(1), jnp.int32(64), 32)
    back = write_span(cache, jnp.int32(2), jnp.int32(64), span)
    np.testing.assert_array_equal(back.values[0][2, :, 64:96], cache.values[0][1, :, 64:96])
    np.testing.assert_array_equal(back.values[0][2, :, :64], cache.values[0][2, :, :64])
