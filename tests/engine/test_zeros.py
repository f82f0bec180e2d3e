"""Zeros that take no memory until they are written."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import psutil

from liminal.engine.zeros import unwritten_zeros

SIZE = (64, 1 << 20)


def test_zeros_take_memory_only_where_they_are_written_and_a_donated_program_keeps_them_so() -> None:
    write = jax.jit(lambda array, row: array.at[row].set(1.0), donate_argnums=0)
    write(jnp.zeros(SIZE), 0).delete()  # compiled before memory is looked at
    process = psutil.Process()
    before = process.memory_full_info().uss
    array = unwritten_zeros(SIZE)
    whole = array.nbytes
    assert process.memory_full_info().uss - before < whole / 8
    array = write(array, 5)
    assert process.memory_full_info().uss - before < whole / 8
    found = np.asarray(array)
    assert found[5].all() and not found[:5].any() and not found[6:].any()
