"""Our log-probabilities along an answer that somebody else gave (teacher forcing)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from liminal.engine.config import ModelConfig
from liminal.engine.model import hidden_states, unembed
from liminal.engine.params import Lora, Params

BUCKETS = (160, 512, 2048)
"""Lengths that programs are compiled for."""

Pass = Callable[[Params, jax.Array, jax.Array, Lora | None, jax.Array | None], jax.Array]


@dataclass(frozen=True)
class Forced:
    """What we find likely where another answered.

    Attributes:
      answer: the other's tokens.
      logprobs: ours in f32 [tokens, vocabulary], each given the other's tokens before it.
    """

    answer: Sequence[int]
    logprobs: NDArray[np.float32]

    def gaps(self, barred: Sequence[int] = ()) -> NDArray[np.float32]:
        """By how much our most likely token is more likely to us than the other's: 0 where they are one.

        ``barred``: tokens that the other was not allowed to say.
        """
        own = np.delete(self.logprobs, list(barred), axis=-1).max(axis=-1)
        return own - self.logprobs[np.arange(len(self.answer)), np.asarray(self.answer)]

    def differences(self, likely: Sequence[tuple[int, float]], at: int) -> NDArray[np.float32]:
        """Ours less the other's, for the other's most likely tokens at one place of the answer."""
        return np.asarray([self.logprobs[at, token] - value for token, value in likely], np.float32)


class Forcing:
    """Scores answers with one model; one program a bucket."""

    def __init__(self, config: ModelConfig, params: Params) -> None:
        """``params`` in the numbers to be held against the other's."""
        self._params = params

        def run(
            params: Params, tokens: jax.Array, places: jax.Array, lora: Lora | None, gates: jax.Array | None
        ) -> jax.Array:
            states = hidden_states(params, config, tokens, lora=lora, gates=gates)
            return jax.nn.log_softmax(unembed(params, states[0, places]), axis=-1)

        self._run = jax.jit(run)

    def __call__(
        self,
        prompt: Sequence[int],
        answer: Sequence[int],
        lora: Lora | None = None,
        gates: jax.Array | None = None,
    ) -> Forced:
        """Of an answer to a prompt, with rank rows at ``gates`` [1, R] if there are any."""
        together = [*prompt, *answer[:-1]]
        bucket = next(size for size in BUCKETS if size >= len(together))
        tokens = np.zeros((1, bucket), np.int32)
        tokens[0, : len(together)] = together
        places = np.arange(len(prompt) - 1, len(together), dtype=np.int32)
        found = self._run(self._params, jnp.asarray(tokens), jnp.asarray(places), lora, gates)
        return Forced(answer, np.asarray(found))
