"""Weights in blocks: the same numbers as dequantised, and the same products as JAX's on what was rounded."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gguf import GGMLQuantizationType, dequantize, quantize
from tests.engine.models import lively_params, tiny_config

from liminal.engine import kernels
from liminal.engine.blocks import (
    BLOCK,
    EXACT,
    Form,
    pack_floats,
    pack_rows,
    packed_size,
    widen_all,
    widen_rows,
)
from liminal.engine.cache import decode_step, init_cache, prefill_chunk
from liminal.engine.errors import CapabilityMissing
from liminal.engine.kernels.decoder import layers_kernel
from liminal.engine.kernels.registry import kinds
from liminal.engine.model import forward, linear
from liminal.engine.numerics import chosen_numbers
from liminal.engine.params import TARGETS, Linear, Params
from liminal.engine.training.base import BaseModel
from liminal.engine.weights import packed_linear

needs_kernels = pytest.mark.skipif(not kinds(), reason="this processor has neither VNNI nor AVX2")
KINDS = [pytest.param(kind, marks=() if kind in kinds() else pytest.mark.skip) for kind in
         ("vnni512", "vnni256", "avx2")]  # fmt: skip


def stored(
    kind: str, out: int, inner: int, seed: int = 0
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(bytes of each row, the numbers that they say)."""
    wide = np.random.default_rng(seed).standard_normal((out, inner), np.float32)
    rows = quantize(wide, GGMLQuantizationType[kind])
    return rows, dequantize(rows, GGMLQuantizationType[kind])


def rounded(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """As a kernel rounds rows: 32 values by one scale."""
    wide = rows.reshape(len(rows), -1, BLOCK)
    step = np.abs(wide).max(axis=2, keepdims=True) / np.float32(127)
    step[step == 0] = 1
    return (np.rint(wide / step) * step).reshape(rows.shape)


@pytest.mark.parametrize("kind", sorted(EXACT))
@pytest.mark.parametrize("shape", [(16, 32), (5, 64), (33, 96)])
def test_packed_blocks_say_what_the_file_says(kind: str, shape: tuple[int, int]) -> None:
    rows, wide = stored(kind, *shape)
    packed, form = pack_rows(kind, rows) or (None, None)
    assert packed is not None and form is not None
    assert packed.nbytes == packed_size(kind, shape)
    np.testing.assert_array_equal(widen_all(jnp.asarray(packed), form), wide)
    chosen = np.asarray([[0, shape[0] - 1], [2, 2]])
    np.testing.assert_array_equal(widen_rows(jnp.asarray(packed), form, jnp.asarray(chosen)), wide[chosen])


def test_floats_are_rounded_by_half_a_step() -> None:
    wide = np.random.default_rng(0).standard_normal((20, 64), np.float32)
    packed, form = pack_floats(wide)
    step = np.abs(wide.reshape(20, 2, BLOCK)).max(axis=2) / 127
    error = np.abs(np.asarray(widen_all(jnp.asarray(packed), form)) - wide).reshape(20, 2, BLOCK)
    assert (error <= step[..., None] * 0.57).all()  # d itself is a float of 16 bits


@pytest.mark.parametrize("way", KINDS)
@pytest.mark.parametrize("kind", sorted(EXACT))
@pytest.mark.parametrize(("rows", "shape"), [(1, (16, 32)), (3, (5, 64)), (8, (48, 576)), (31, (33, 1536))])
def test_a_product_of_blocks_is_that_of_rounded_rows(
    way: str, kind: str, rows: int, shape: tuple[int, int]
) -> None:
    bytes_, wide = stored(kind, *shape)
    packed, form = pack_rows(kind, bytes_) or pytest.fail()
    x = np.random.default_rng(rows).standard_normal((rows, shape[1]), np.float32)
    found = kernels.block_products(jnp.asarray(x), [(jnp.asarray(packed), form)] * 2, way)
    assert found is not None
    expected = rounded(x) @ wide.T
    for each in found:
        np.testing.assert_allclose(each, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("way", KINDS)
def test_the_largest_bytes_of_a_block_do_not_overflow(way: str) -> None:
    packed = np.full((1, 4, Form(8, False, 16).block_bytes), 0x80, np.uint8)
    packed[..., 512:] = np.frombuffer(np.float16(1).tobytes() * 16, np.uint8)
    for sign in (1.0, -1.0):
        x = jnp.full((2, 128), 127.0 * sign)
        found = kernels.block_products(x, [(jnp.asarray(packed), Form(8, False, 16))], way)
        assert found is not None
        np.testing.assert_array_equal(found[0], -128.0 * 127.0 * 128.0 * sign)


@needs_kernels
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_no_number_disturbs_no_other_and_stays_none(bad: float) -> None:
    packed, form = pack_floats(np.random.default_rng(0).standard_normal((32, 64), np.float32))
    p = Linear(jnp.asarray(packed), form=form)
    x = np.random.default_rng(1).standard_normal((5, 64), np.float32)
    calm = np.asarray(linear(p, jnp.asarray(x)))
    x[2, 40] = bad
    upset = np.asarray(linear(p, jnp.asarray(x)))
    np.testing.assert_array_equal(np.delete(upset, 2, 0), np.delete(calm, 2, 0))
    assert not np.isfinite(upset[2]).any()


def block_params(config: Any, kind: str = "Q4_1") -> Params:
    """A model whose linears are of a kind and whose table is of 8 bits, as in the default model's file."""
    params = lively_params(config)

    def packed(p: Linear, own: str) -> Linear:
        rows = quantize(np.asarray(p.weight), GGMLQuantizationType[own])
        return packed_linear((own, rows), lambda: np.asarray(p.weight))

    layers = tuple(
        layer.replace(**{target: packed(getattr(layer, target), kind) for target in TARGETS})  # pyright: ignore
        for layer in params.layers
    )
    head = None if params.head is None else packed(params.head, "Q8_0")
    return params.replace(embed=packed(params.embed, "Q8_0"), layers=layers, head=head)  # pyright: ignore


@needs_kernels
@pytest.mark.parametrize("windows", [None, 5])
def test_layers_in_one_call_equal_layers_apart(windows: int | None) -> None:
    config = tiny_config(
        hidden_size=64, intermediate_size=96, head_dim=32, windows=(windows,) * tiny_config().layers
    )
    params = block_params(config)
    assert layers_kernel(params, config)
    tokens = np.asarray([5, 9, 2, 7, 1, 3, 8, 4, 6], np.int32)
    whole = forward(params, config, jnp.asarray(tokens)[None])[0]
    cache = init_cache(config, 3, 256)
    chunk = np.zeros(8, np.int32)
    chunk[:5] = tokens[:5]
    logits, cache = prefill_chunk(params, config, cache, chunk, np.int32(1), np.int32(0), np.int32(5))
    close = {"rtol": 0, "atol": 0.05 * float(jnp.abs(whole).max())}  # a byte may be rounded another way
    np.testing.assert_allclose(logits[0], whole[4], **close)
    idle = cache.length - 1
    for at in range(5, 9):
        step = np.asarray([0, tokens[at]], np.int32), np.asarray([idle, at], np.int32)
        logits, cache = decode_step(params, config, cache, *step, np.int32(1))
        np.testing.assert_allclose(logits[1], whole[at], **close)
    assert all((np.asarray(side[2]) == 0).all() for side in (*cache.keys, *cache.values))


@needs_kernels
def test_a_slot_that_overflows_disturbs_no_other() -> None:
    config = tiny_config(hidden_size=64, intermediate_size=96, head_dim=32)
    params = block_params(config)
    step = np.asarray([3, 4], np.int32), np.asarray([1, 1], np.int32)
    calm, _ = decode_step(params, config, init_cache(config, 2, 256), *step, np.int32(1))
    cache = jax.tree.map(lambda side: side.at[0].set(np.nan), init_cache(config, 2, 256))
    upset, _ = decode_step(params, config, cache, *step, np.int32(1))
    np.testing.assert_array_equal(upset[1], calm[1])
    assert not np.isfinite(upset[0]).any()


def test_auto_takes_the_blocks_of_a_file_where_a_kernel_is() -> None:
    here = "blocks" if kinds() else "float32"
    assert chosen_numbers("auto", quantised=True, parameters=1) == here
    assert chosen_numbers("auto", quantised=False, parameters=1) == "float32"
    assert chosen_numbers("auto", quantised=False, parameters=1 << 30) == here
    assert chosen_numbers("auto", quantised=True, parameters=1, devices=2) == "float32"
    assert chosen_numbers("bfloat16", quantised=True, parameters=1) == "bfloat16"


def test_blocks_are_not_trained_through() -> None:
    config = tiny_config(hidden_size=64, intermediate_size=96, head_dim=32)
    with pytest.raises(CapabilityMissing):
        BaseModel(config, block_params(config), None, "blocks", "")  # pyright: ignore[reportArgumentType]
