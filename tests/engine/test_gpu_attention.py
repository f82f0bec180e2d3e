"""The attention kernel for GPUs, interpreted on the CPU, beside the cache's own attention."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from liminal.engine.cache import BLOCK, block_attention, whole_attention
from liminal.engine.gpu_attention import decode_attention

POSITIONS = jnp.asarray([300, 5, 63, 64], jnp.int32)


def drawn(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(len(shape)).standard_normal(shape), jnp.bfloat16)


@pytest.fixture
def cached() -> tuple[jax.Array, jax.Array, jax.Array]:
    return drawn(4, 8, 32), drawn(5, 2, 512, 32), -drawn(5, 2, 512, 32)


@pytest.mark.parametrize("window", [None, 100])
def test_the_kernel_and_the_whole_slot_attend_as_the_blocks_do(
    cached: tuple[jax.Array, jax.Array, jax.Array], window: int | None
) -> None:
    q, keys, values = cached

    def block_of(layer: jax.Array, number: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice(layer, (0, 0, number * BLOCK, 0), (4, 2, BLOCK, 32))

    at = POSITIONS[:, None]
    expected = block_attention(q[:, None], keys, values, block_of, at, jnp.int32(2), window)[:, 0]
    kernel = decode_attention(q, keys, values, POSITIONS, window, interpret=True)
    whole = whole_attention(q[:, None], keys[:4], values[:4], at, window)[:, 0]
    np.testing.assert_allclose(kernel.astype(np.float32), expected.astype(np.float32), atol=0.01)
    np.testing.assert_allclose(whole.astype(np.float32), expected.astype(np.float32), atol=0.01)


def test_a_row_that_takes_no_part_gives_zeros_and_disturbs_no_other(
    cached: tuple[jax.Array, jax.Array, jax.Array],
) -> None:
    q, keys, values = cached
    alone = decode_attention(q, keys, values, POSITIONS, None, interpret=True)
    idle = decode_attention(q, keys, values, POSITIONS.at[1].set(511), None, interpret=True)
    assert not np.asarray(idle[1], np.float32).any()
    np.testing.assert_array_equal(np.delete(np.asarray(idle), 1, 0), np.delete(np.asarray(alone), 1, 0))


def test_the_kernel_is_lowered_for_cuda(cached: tuple[jax.Array, jax.Array, jax.Array]) -> None:
    def attend(q: jax.Array, keys: jax.Array, values: jax.Array, positions: jax.Array) -> jax.Array:
        return decode_attention(q, keys, values, positions, None)

    lowered = jax.jit(attend).trace(*cached, POSITIONS).lower(lowering_platforms=("cuda",))
    assert "triton" in lowered.as_text()
