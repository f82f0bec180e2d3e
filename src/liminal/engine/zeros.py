"""Large arrays of zeros that take memory only where they are written."""

from __future__ import annotations

import ctypes
import mmap
import sys
from typing import Any

import jax
import jax.numpy as jnp

_DONT_NEED = 4
"""MADV_DONTNEED of Linux: private pages read as zeros again, and take no memory until they are written."""
LEAST = 1 << 20
"""Bytes below which an array stays as it was made."""


def unwritten_zeros(shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """Zeros of a shape; on a CPU under Linux their pages are handed back, and taken where they are written.

    XLA writes the zeros that it makes. A cache or a bank that is donated to every program stays where it is,
    so what it takes is what has been used of it.
    """
    array = jnp.zeros(shape, dtype)
    if jax.default_backend() != "cpu" or not sys.platform.startswith("linux") or array.nbytes < LEAST:
        return array
    array.block_until_ready()
    start = array.unsafe_buffer_pointer()
    first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
    size = (start + array.nbytes - first) // mmap.PAGESIZE * mmap.PAGESIZE
    advise = ctypes.CDLL(None, use_errno=True).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    if advise(first, size, _DONT_NEED):
        raise OSError(ctypes.get_errno(), "madvise")
    return array
