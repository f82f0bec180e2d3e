"""What decoding on CPU has of its own: a product of bytes, a bank's pages, one token's attention.

Each says again what ``liminal.engine.model`` says in JAX's own operations; those run where these do not: on
other devices, on several at once, in training, and for shapes that do not fit.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import jax
import jax.numpy as jnp
import numpy as np

from liminal.engine.blocks import ROWS, Form
from liminal.engine.config import ModelConfig
from liminal.engine.params import LoraPair, PageGates, Params

MOST_ROWS = 32
"""Rows of bytes for which reading the weight is what a product waits for."""
INT8_PRODUCT, PAGE_PRODUCT, ATTENTION = "liminal_int8_product", "liminal_page_product", "liminal_attention"
BLOCK_PRODUCTS, LAYERS = "liminal_block_products", "liminal_layers"

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


def available(name: str, *of: int | str) -> bool:
    """Whether this process has a kernel, of these sizes; it is compiled where it is asked for first."""
    if not _allowed.get() or jax.default_backend() != "cpu":
        return False
    # not before: LLVM is large, and most who import the model need none of it
    from liminal.engine.kernels.registry import available as made

    with _one_at_a_time:
        return made(name, *of)


def prepare(config: ModelConfig, params: Params, mode: str) -> None:
    """Make the kernels of a program known to this process: one from disk looks for them by name.

    params: or their shapes; mode: of ``liminal.engine.mixing``.
    """
    from liminal.engine.kernels.decoder import layers_kernel

    layer = params.layers[0]
    qkv, pair = [layer.q_proj, layer.k_proj, layer.v_proj], [layer.gate_proj, layer.up_proj]
    apart = mode != "none" or not layers_kernel(params, config)
    for parts in ([*(qkv, [layer.o_proj], pair, [layer.down_proj])] if apart else []) + [
        [params.head or params.embed]
    ]:
        if all(part.form is not None for part in parts):
            available(BLOCK_PRODUCTS, byte_products(), *(part.form.key for part in parts if part.form))
    if params.embed.scale is not None:
        available(INT8_PRODUCT)
    if apart:
        available(PAGE_PRODUCT)
        available(ATTENTION, config.heads // config.kv_heads, config.head_dim)


def fits_int8(rows: jax.Array, weight: jax.Array) -> bool:
    """Whether ``int8_product`` can take these."""
    few = rows.shape[0] <= MOST_ROWS and weight.shape[1] % 64 == 0
    return few and available(INT8_PRODUCT)


def int8_product(rows: jax.Array, weight: jax.Array) -> jax.Array:
    """rows int8 [R, in], weight int8 [out, in] → rows @ weight.T, exact, int32 [R, out]."""
    shape = jax.ShapeDtypeStruct((rows.shape[0], weight.shape[0]), jnp.int32)
    raised = jax.ffi.ffi_call(INT8_PRODUCT, shape)(rows, weight)
    return raised - 128 * rows.astype(jnp.int32).sum(axis=1, keepdims=True)


def byte_products() -> str:
    """The best way to multiply bytes that this processor has (``registry.KINDS``); "" for none."""
    if not _allowed.get() or jax.default_backend() != "cpu":
        return ""
    from liminal.engine.kernels.registry import kinds

    return next(iter(kinds()), "")


def block_products(
    rows: jax.Array, matrices: Sequence[tuple[jax.Array, Form]], kind: str
) -> list[jax.Array] | None:
    """rows f32 [R, in] @ each packed matrix.T (``liminal.engine.blocks``) → f32 [R, out] of each.

    ``kind``: of byte_products. The rows are rounded to bytes, 32 values by one scale. None where there is
    no such kernel.
    """
    count, inner = rows.shape
    key = [form.key for _, form in matrices]
    if not kind or not available(BLOCK_PRODUCTS, kind, *key):
        return None
    shapes = [jax.ShapeDtypeStruct((count, packed.shape[0] * ROWS), jnp.float32) for packed, _ in matrices]
    scratch = jax.ShapeDtypeStruct((count * (inner + inner // 4),), jnp.uint8)
    call = jax.ffi.ffi_call(kernel_name(BLOCK_PRODUCTS, kind, *key), [*shapes, scratch])
    found = call(rows, *(packed for packed, _ in matrices))[:-1]
    return [each[:, : form.out] for each, (_, form) in zip(found, matrices, strict=True)]


def fits_pages(rows: jax.Array, pair: LoraPair) -> bool:
    """Whether ``page_product`` can take these."""
    whole = all(size % 16 == 0 for size in (pair.a.shape[1], pair.b.shape[1]))
    wide = rows.dtype == pair.a.dtype == jnp.float32
    return whole and wide and available(PAGE_PRODUCT)


def page_product(rows: jax.Array, pair: LoraPair, gates: PageGates) -> jax.Array:
    """rows f32 [B, in] → Σ over each row's own pages: ((x @ a.T) * gates) @ b, f32 [B, out]."""
    shape = jax.ShapeDtypeStruct((rows.shape[0], pair.b.shape[1]), jnp.float32)
    call = jax.ffi.ffi_call(PAGE_PRODUCT, shape)
    return call(rows, pair.a, pair.b, gates.owner, gates.gates)


def fits_attention(q: jax.Array, keys: jax.Array) -> bool:
    """Whether ``decode_attention`` can take these."""
    (_, heads, dim), (_, kv_heads, length, _) = q.shape, keys.shape
    wide = q.dtype == keys.dtype == jnp.float32
    return wide and length % 64 == 0 and available(ATTENTION, heads // kv_heads, dim)


def decode_attention(
    q: jax.Array, keys: jax.Array, values: jax.Array, positions: jax.Array, window: int | None
) -> jax.Array:
    """q f32 [B, N, H] at ``positions`` int32 [B] over the first B slots of a cache → [B, N, H].

    keys, values: f32 [slots, K, L, H]. A row at the cache's last position takes no part and gives zeros.
    """
    _, heads, dim = q.shape
    name = kernel_name(ATTENTION, heads // keys.shape[1], dim)
    call = jax.ffi.ffi_call(name, jax.ShapeDtypeStruct(q.shape, jnp.float32))
    return call(q * dim**-0.5, keys, values, positions, np.int32(window or 0))


def kernel_name(name: str, *of: int | str) -> str:
    """Under which XLA knows a kernel of these sizes."""
    return "_".join((name, *map(str, of)))
