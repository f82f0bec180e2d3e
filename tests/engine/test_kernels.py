"""The products of our own equal those of JAX's operations, which they replace on CPU."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from liminal.engine import kernels
from liminal.engine.cache import whole_attention
from liminal.engine.model import linear, lora_delta
from liminal.engine.numerics import quantise_linear
from liminal.engine.params import PAGE, Linear, LoraPair, PageGates

needs_byte_products = pytest.mark.skipif(
    not kernels.available(kernels.INT8_PRODUCT),
    reason="this processor has no AVX-512 VNNI; JAX's own product runs here",
)


@needs_byte_products
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 16, 31])
@pytest.mark.parametrize("shape", [(1, 64), (5, 64), (33, 128), (576, 1536), (1536, 576)])
def test_the_product_of_bytes_is_exact(rows: int, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(rows)
    weight = rng.integers(-128, 128, shape).astype(np.int8)
    values = rng.integers(-128, 128, (rows, shape[1])).astype(np.int8)
    found = jax.jit(kernels.int8_product)(values, weight)
    np.testing.assert_array_equal(found, values.astype(np.int32) @ weight.astype(np.int32).T)


@needs_byte_products
def test_the_largest_bytes_do_not_overflow() -> None:
    weight, values = jnp.full((4, 4096), -128, jnp.int8), jnp.full((2, 4096), -128, jnp.int8)
    assert (kernels.int8_product(values, weight) == 4096 * 128 * 128).all()


def test_an_int8_linear_is_the_same_with_the_kernel_and_without() -> None:
    rng = np.random.default_rng(0)
    p = quantise_linear(Linear(jnp.asarray(rng.standard_normal((192, 128), np.float32))))
    x = jnp.asarray(rng.standard_normal((3, 1, 128), np.float32))
    own = jax.jit(linear)(p, x)
    with kernels.plain_operations():
        plain = linear(p, x)
    np.testing.assert_allclose(own, plain, rtol=1e-6)


def bank_of(rng: np.random.Generator, pages: int, inner: int, out: int) -> LoraPair:
    rows = pages * PAGE
    a, b = (rng.standard_normal((rows, size), np.float32) for size in (inner, out))
    return LoraPair(jnp.asarray(a), jnp.asarray(b))


def gates_of(owner: Any, gates: Any) -> PageGates:
    return PageGates(jnp.asarray(owner, jnp.int32), jnp.asarray(gates, jnp.float32))


def both_ways(pair: LoraPair, x: Any, gates: PageGates) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    assert kernels.fits_pages(x[:, 0], pair)
    own = jax.jit(lora_delta)(pair, x, gates)
    with kernels.plain_operations():
        assert not kernels.fits_pages(x[:, 0], pair)
        plain = lora_delta(pair, x, gates)
    return np.asarray(own), np.asarray(plain)


@pytest.mark.parametrize("batch", [1, 2, 5, 8, 20])
@pytest.mark.parametrize("shape", [(16, 48), (576, 1536), (1536, 576)])
def test_every_row_gets_its_own_pages(batch: int, shape: tuple[int, int]) -> None:
    rng, pages = np.random.default_rng(batch), 16
    pair, x = bank_of(rng, pages, *shape), rng.standard_normal((batch, 1, shape[0]), np.float32)
    gates = rng.standard_normal((pages, PAGE)).astype(np.float32)
    gates[rng.random((pages, PAGE)) < 0.3] = 0
    gates[::5] = 0
    owner = rng.integers(0, batch, pages).astype(np.int32)
    own, plain = both_ways(pair, x, gates_of(owner, gates))
    np.testing.assert_allclose(own, plain, rtol=1e-5, atol=1e-5 * np.abs(plain).max())
    idle = ~np.isin(np.arange(batch), owner[gates.any(axis=1)])
    assert (own[idle] == 0).all()


def test_a_page_that_overflows_disturbs_no_other_row() -> None:
    rng = np.random.default_rng(0)
    pair, x = bank_of(rng, 4, 32, 32), rng.standard_normal((2, 1, 32), np.float32)
    broken = LoraPair(pair.a.at[:PAGE].set(np.inf), pair.b)
    owner, gates = np.asarray([0, 1, 1, 0], np.int32), np.ones((4, PAGE), np.float32)
    gates[3] = 0  # nobody's: its owner is any
    calm, _ = both_ways(pair, x, gates_of(owner, gates))
    upset, _ = both_ways(broken, x, gates_of(owner, gates))
    np.testing.assert_array_equal(upset[1], calm[1])
    silent = np.where(np.arange(4)[:, None] == 0, 0, gates).astype(np.float32)
    quiet, _ = both_ways(broken, x, gates_of(owner, silent))
    assert (quiet[0] == 0).all()


def test_many_callers_at_once_wait_for_none_but_themselves() -> None:
    rng, pages = np.random.default_rng(0), 8
    pair, x = bank_of(rng, pages, 512, 512), jnp.asarray(rng.standard_normal((8, 1, 512), np.float32))
    gates = gates_of(np.arange(pages), np.ones((pages, PAGE)))

    def once(_: int, y: jax.Array) -> jax.Array:
        return jnp.tanh(lora_delta(pair, y, gates))

    @jax.jit
    def often(x: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(0, 200, once, x)

    def called(_: int) -> Any:
        return np.asarray(often(x))

    alone = called(0)
    with ThreadPoolExecutor(16) as pool:
        for found in pool.map(called, range(32)):
            np.testing.assert_array_equal(found, alone)


@pytest.mark.parametrize("window", [None, 5, 70])
@pytest.mark.parametrize(("heads", "kv_heads", "dim"), [(3, 3, 16), (9, 3, 64), (8, 2, 128), (10, 1, 32)])
def test_a_token_sees_what_it_may_and_nothing_else(
    window: int | None, heads: int, kv_heads: int, dim: int
) -> None:
    rng, slots, length = np.random.default_rng(heads), 5, 256
    positions = np.asarray([0, 15, 64, 200, 254])
    q = rng.standard_normal((slots, heads, dim), np.float32)
    keys, values = (rng.standard_normal((slots, kv_heads, length, dim), np.float32) for _ in range(2))
    given = (jnp.asarray(q), jnp.asarray(keys), jnp.asarray(values), jnp.asarray(positions, jnp.int32))
    assert kernels.fits_attention(given[0], given[1])
    own = kernels.decode_attention(*given, window)
    plain = whole_attention(given[0][:, None], *given[1:3], given[3][:, None], window)[:, 0]
    np.testing.assert_allclose(own, plain, rtol=2e-5, atol=2e-6)

    # what lies beyond is never read into an answer
    at = np.arange(length)
    hidden = at > positions[:, None]
    if window is not None:
        hidden |= at <= positions[:, None] - window
    for side in (keys, values):
        side.swapaxes(1, 2)[hidden] = np.nan
    again = kernels.decode_attention(given[0], jnp.asarray(keys), jnp.asarray(values), given[3], window)
    np.testing.assert_array_equal(again, own)


def test_a_row_at_the_last_position_takes_no_part() -> None:
    cache = jnp.full((2, 1, 64, 16), jnp.nan)
    positions = jnp.full(2, 63, jnp.int32)
    q = jnp.ones((2, 2, 16))
    assert kernels.fits_attention(q, cache)
    found = kernels.decode_attention(q, cache, cache, positions, None)
    np.testing.assert_array_equal(found, 0)


def test_large_scores_do_not_overflow() -> None:
    rng = np.random.default_rng(0)
    q, keys, values = (
        jnp.asarray(rng.standard_normal(shape, np.float32) * size)
        for shape, size in (((1, 1, 16), 300), ((1, 1, 128, 16), 300), ((1, 1, 128, 16), 1))
    )
    positions = jnp.asarray([100], jnp.int32)
    assert kernels.fits_attention(q, keys)
    own = kernels.decode_attention(q, keys, values, positions, None)
    plain = whole_attention(q[:, None], keys, values, positions[:, None], None)[:, 0]
    np.testing.assert_allclose(own, plain, rtol=1e-5)


STEP = """
import sys
from pathlib import Path
import jax, numpy as np
from liminal.engine.numerics import quantise
from liminal.engine.params import PAGE, PageGates
from liminal.engine.runner import Runner, Shapes
from tests.engine.models import lively_params, tiny_config

compilations = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, *_, **__: compilations.append(event) if "backend_compile" in event else None
)
config = tiny_config(hidden_size=64, intermediate_size=128, head_dim=16)
shapes = Shapes(slots=2, context=64, chunks=(32,), rows=4 * PAGE)
runner = Runner(config, quantise(lively_params(config)), shapes, compiled=Path(sys.argv[1]))
compilations.clear()
program = runner.programs.get(("decode", 2, "each"))
count = len(compilations)
gates = np.ones((4, PAGE), np.float32)
bank = jax.tree.map(lambda rows: rows + 0.1, runner.bank)
owner = np.asarray([0, 1, 1, 0], np.int32)
tokens = np.asarray([5, 6], np.int32)
logits, _ = program(
    runner.params, runner.cache, tokens, np.zeros(2, np.int32), np.int32(1), bank, PageGates(owner, gates)
)
print("compiled" if count else "loaded", np.asarray(logits, np.float64).sum())
"""


@needs_byte_products
def test_a_program_with_kernels_runs_in_a_process_that_loads_it(tmp_path: Path) -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", STEP, str(tmp_path)],
            cwd=Path(__file__).parents[2],
            env=os.environ | {"JAX_PLATFORMS": "cpu"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert [word for word, _ in said] == ["compiled", "loaded"]
    assert said[0][1] == said[1][1]
    assert any(b"liminal_int8_product" in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
