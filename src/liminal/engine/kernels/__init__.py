"""The two products of decoding on CPU for which XLA has nothing: bytes with bytes, and a bank's pages.

Each says again what ``liminal.engine.model`` says in JAX's own operations; those run where these do not: on
other devices, on several at once, in training, and for shapes that do not fit.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import jax
import jax.numpy as jnp

from liminal.engine.params import LoraPair, PageGates

LANES = 16
"""f32 in a vector of 64 bytes, which hold four times as many bytes."""
MOST_ROWS = 32
"""Rows of bytes for which reading the weight is what a product waits for."""
INT8_PRODUCT, PAGE_PRODUCT = "liminal_int8_product", "liminal_page_product"

_one_at_a_time = threading.Lock()
_allowed = ContextVar("kernels", default=True)


@contextmanager
def plain_operations(chosen: bool = True) -> Generator[None]:
    """Trace with JAX's own operations alone: a mesh divides those, and knows nothing of ours."""
    token = _allowed.set(not chosen)
    try:
        yield
    finally:
        _allowed.reset(token)


def registered() -> frozenset[str]:
    """Make the kernels known to this process; those that there are for its processor."""
    with _one_at_a_time:
        return _registered()


@cache
def _registered() -> frozenset[str]:
    if jax.default_backend() != "cpu":
        return frozenset()
    # not before: LLVM is large, and most who import the model need none of it
    from liminal.engine.kernels.products import register

    return register()


def fits_int8(rows: jax.Array, weight: jax.Array) -> bool:
    """Whether ``int8_product`` can take these."""
    few = rows.shape[0] <= MOST_ROWS and weight.shape[1] % (4 * LANES) == 0
    return few and _allowed.get() and INT8_PRODUCT in registered()


def int8_product(rows: jax.Array, weight: jax.Array) -> jax.Array:
    """rows int8 [R, in], weight int8 [out, in] → rows @ weight.T, exact, int32 [R, out]."""
    shape = jax.ShapeDtypeStruct((rows.shape[0], weight.shape[0]), jnp.int32)
    raised = jax.ffi.ffi_call(INT8_PRODUCT, shape)(rows, weight)
    return raised - 128 * rows.astype(jnp.int32).sum(axis=1, keepdims=True)


def fits_pages(rows: jax.Array, pair: LoraPair) -> bool:
    """Whether ``page_product`` can take these."""
    whole = all(size % LANES == 0 for size in (pair.a.shape[1], pair.b.shape[1]))
    wide = rows.dtype == pair.a.dtype == jnp.float32
    return whole and wide and _allowed.get() and PAGE_PRODUCT in registered()


def page_product(rows: jax.Array, pair: LoraPair, gates: PageGates) -> jax.Array:
    """rows f32 [B, in] → Σ over each row's own pages: ((x @ a.T) * gates) @ b, f32 [B, out]."""
    shape = jax.ShapeDtypeStruct((rows.shape[0], pair.b.shape[1]), jnp.float32)
    call = jax.ffi.ffi_call(PAGE_PRODUCT, shape)
    return call(rows, pair.a, pair.b, gates.owner, gates.gates)
