"""Matrices of 4 or 8 bits with a scale for every 32 inputs, in the order in which the kernels read them.

A row's block is GGML's (llama.cpp, ``ggml-common.h``): w = d·q, or w = d·q + m. Sixteen rows' blocks lie
together: first their numbers, four inputs of each row side by side, then their d, then their m, so that one
vector has the same place of sixteen rows. No byte is added to what the file has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

BLOCK, ROWS = 32, 16
"""Inputs that share a scale; rows that lie together."""
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Form:
    """How the bytes of a packed matrix are to be read.

    Attributes:
      bits: 4 (0 to 15) or 8 (-128 to 127).
      minimum: whether a block has m beside d; without, 4 bits mean -8 to 7.
      out: rows; the packed ones are filled up with zeros to whole sixteens.
    """

    bits: int
    minimum: bool
    out: int

    @property
    def key(self) -> int:
        """Bits and minimum in one number, which kernels are named by."""
        return self.bits | self.minimum

    @property
    def block_bytes(self) -> int:
        """Of sixteen rows."""
        return ROWS * (BLOCK * self.bits // 8 + (4 if self.minimum else 2))


@dataclass(frozen=True)
class _Rows:
    """Blocks of a matrix: q uint8 [out, blocks, 32 or 16], d and m f16 bytes [out, blocks, 2]."""

    q: Bytes
    d: Bytes
    m: Bytes | None

    @property
    def bits(self) -> int:
        return 4 if self.q.shape[2] == BLOCK // 2 else 8


def pack_rows(kind: str, rows: Bytes) -> tuple[Bytes, Form] | None:
    """A stored matrix (``StoredBlocks``: GGML's name of the blocks, uint8 [out, bytes of a row]) as packed
    bytes [⌈out / 16⌉, blocks, bytes of sixteen rows' block]; nothing is rounded. None for other kinds."""
    split = _SPLIT.get(kind)
    return None if split is None else _pack(split(rows))


def pack_floats(matrix: NDArray[np.float32]) -> tuple[Bytes, Form]:
    """A float matrix [out, in] in 8 bits: |error| ≤ d / 2, d a 127th of a block's largest value."""
    out, inner = matrix.shape
    if inner % BLOCK:
        raise ValueError(f"{inner} inputs are no whole number of blocks of {BLOCK}")
    wide = matrix.reshape(out, -1, BLOCK)
    d = (np.abs(wide).max(axis=2) / np.float32(127.0)).astype(np.float16)
    step = np.maximum(d.astype(np.float32), np.float32(1e-12))
    q = np.clip(np.rint(wide / step[..., None]), -127, 127).astype(np.int8)
    q[d == 0] = 0
    return _pack(_Rows(q.view(np.uint8), _bytes(d), None))


def _bytes(values: NDArray[np.float16]) -> Bytes:
    return np.ascontiguousarray(values)[..., None].view(np.uint8)


def _q4_0(rows: Bytes) -> _Rows:
    each = rows.reshape(len(rows), -1, 18)
    return _Rows(each[..., 2:], each[..., :2], None)


def _q4_1(rows: Bytes) -> _Rows:
    each = rows.reshape(len(rows), -1, 20)
    return _Rows(each[..., 4:], each[..., :2], each[..., 2:4])


def _q8_0(rows: Bytes) -> _Rows:
    each = rows.reshape(len(rows), -1, 34)
    return _Rows(each[..., 2:], each[..., :2], None)


def _fifth(low: Bytes, high: Bytes) -> Bytes:
    """Numbers of 5 bits from their low nibbles [out, blocks, 16] and the bits above [out, blocks, 4]."""
    nibbles = np.concatenate([low & 15, low >> 4], axis=2)
    return (nibbles | np.unpackbits(high, axis=2, bitorder="little") << np.uint8(4)).astype(np.uint8)


def _q5_0(rows: Bytes) -> _Rows:
    each = rows.reshape(len(rows), -1, 22)
    return _Rows(_fifth(each[..., 6:], each[..., 2:6]) - np.uint8(16), each[..., :2], None)


def _q5_1(rows: Bytes) -> _Rows:
    each = rows.reshape(len(rows), -1, 24)
    return _Rows(_fifth(each[..., 8:], each[..., 4:8]), each[..., :2], each[..., 2:4])


_SPLIT: Mapping[str, Callable[[Bytes], _Rows]] = {
    "Q4_0": _q4_0,
    "Q4_1": _q4_1,
    "Q5_0": _q5_0,
    "Q5_1": _q5_1,
    "Q8_0": _q8_0,
}
EXACT = frozenset(_SPLIT)
"""GGML's kinds whose blocks are kept as they are; others are rounded anew, to 8 bits."""


def packed_size(kind: str, shape: tuple[int, ...]) -> int:
    """Bytes of a packed matrix [out, in] that is stored in blocks of a kind, or in floats."""
    bits, minimum = _SIZES.get(kind, (8, False))
    form = Form(bits, minimum, shape[0])
    return -(-shape[0] // ROWS) * (shape[1] // BLOCK) * form.block_bytes


_SIZES = {"Q4_0": (4, False), "Q4_1": (4, True), "Q5_1": (8, True)}


def _pack(rows: _Rows) -> tuple[Bytes, Form]:
    out, blocks, width = rows.q.shape
    groups = -(-out // ROWS)
    form = Form(rows.bits, rows.m is not None, out)
    packed = np.zeros((groups, blocks, form.block_bytes), np.uint8)
    parts = [(rows.q.reshape(out, blocks, width // 4, 4), width // 4)]
    parts += [(part[:, :, None], 1) for part in (rows.d, rows.m) if part is not None]
    start = 0
    for part, count in parts:
        size = part.shape[3]
        whole = np.zeros((groups * ROWS, blocks, count, size), np.uint8)
        whole[:out] = part
        # [groups, ROWS, blocks, count, size] → [groups, blocks, count, ROWS, size]
        ordered = whole.reshape(groups, ROWS, blocks, count, size).transpose(0, 2, 3, 1, 4)
        end = start + count * ROWS * size
        packed[:, :, start:end] = ordered.reshape(groups, blocks, -1)
        start = end
    return packed, form


def widen(packed: jax.Array, form: Form) -> jax.Array:
    """Packed sixteens uint8 [groups, blocks, bytes] → rows f32 [groups, 16, in], in JAX's operations."""
    groups, blocks, _ = packed.shape
    numbers = ROWS * BLOCK * form.bits // 8
    words = packed[..., :numbers].reshape(groups, blocks, -1, ROWS, 4)
    if form.bits == 4:
        low, high = words & 15, words >> 4
        q = jnp.concatenate([low, high], axis=2).astype(jnp.float32) - (0.0 if form.minimum else 8.0)
    else:
        q = jax.lax.bitcast_convert_type(words, jnp.int8).astype(jnp.float32)
    scales = jax.lax.bitcast_convert_type(
        packed[..., numbers:].reshape(groups, blocks, -1, ROWS, 2), jnp.float16
    ).astype(jnp.float32)[:, :, :, None, :, None]  # [groups, blocks, d or m, 1, ROWS, 1]
    wide = q * scales[:, :, 0]
    if form.minimum:
        wide = wide + scales[:, :, 1]
    # [groups, blocks, words, ROWS, 4] → [groups, ROWS, blocks, words, 4]
    return wide.transpose(0, 3, 1, 2, 4).reshape(groups, ROWS, blocks * BLOCK)


def widen_all(packed: jax.Array, form: Form) -> jax.Array:
    """The whole matrix, f32 [out, in]."""
    return widen(packed, form).reshape(-1, packed.shape[1] * BLOCK)[: form.out]


def widen_rows(packed: jax.Array, form: Form, rows: jax.Array) -> jax.Array:
    """The chosen rows int32 [...] → f32 [..., in]; only their sixteens are read."""
    flat = rows.reshape(-1)
    found = widen(packed[flat // ROWS], form)
    chosen = jnp.take_along_axis(found, (flat % ROWS)[:, None, None], axis=1)
    return chosen.reshape(*rows.shape, found.shape[2])
