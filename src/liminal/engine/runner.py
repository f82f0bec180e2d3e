"""The arrays on the device, and what the scheduler does with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec
from numpy.typing import NDArray

from liminal.engine.bank import Pages, empty_bank
from liminal.engine.cache import BLOCK, init_cache
from liminal.engine.config import ModelConfig
from liminal.engine.memory import cache_length
from liminal.engine.mixing import choose, decode_modes, prefill_modes
from liminal.engine.params import Params
from liminal.engine.prefix import SPAN
from liminal.engine.programs import Key, Programs
from liminal.engine.sampling import Choice, Rules, Seen
from liminal.engine.sequence import Answer
from liminal.engine.sharding import shard_cache, shard_lora
from liminal.engine.zeros import unwritten_zeros


@dataclass(frozen=True)
class Shapes:
    """The fixed shapes of an engine.

    Attributes:
      slots: sequences that run at once.
      context: most tokens of one sequence.
      chunks: prompt chunk lengths, ascending; a prompt is cut into the largest, the rest padded.
      rows: rank rows of the adapter bank; 0 for none.
    """

    slots: int = 8
    context: int = 2048
    chunks: tuple[int, ...] = (32, 128)
    rows: int = 128

    @property
    def batches(self) -> tuple[int, ...]:
        """Decoding batch sizes: powers of two up to the slots."""
        sizes = [1]
        while sizes[-1] < self.slots:
            sizes.append(min(2 * sizes[-1], self.slots))
        return tuple(sizes)


class Runner:
    """Cache, bank and penalties of one model, advanced by compiled programs."""

    def __init__(
        self,
        config: ModelConfig,
        params: Params,
        shapes: Shapes,
        mesh: Mesh | None = None,
        compiled: Path | None = None,
    ) -> None:
        """Reserves the cache and the bank at once; their pages are taken as they are written."""
        self.config, self.shapes = config, shapes
        dtype = params.norm.dtype
        self.params = params
        length = cache_length(shapes.context, shapes.chunks[-1])
        self.cache = shard_cache(init_cache(config, shapes.slots, length, dtype), mesh)
        self.bank = shard_lora(empty_bank(config, shapes.rows, dtype) if shapes.rows else (), mesh)
        seen = Seen(
            unwritten_zeros((shapes.slots, config.vocab_size), jnp.int32),
            unwritten_zeros((shapes.slots, config.vocab_size), jnp.bool_),
        )
        self.seen = seen if mesh is None else jax.device_put(seen, NamedSharding(mesh, Spec()))
        self.programs = Programs(config, params, self.cache, self.bank, self.seen, mesh, compiled)
        words = -(-config.vocab_size // 32)
        self._open_mask = np.full((shapes.slots, words), 0xFFFFFFFF, np.uint32)

    def program_keys(self) -> list[Key]:
        """Every program that serving can need, those of a single answer without adapters first."""
        shapes = self.shapes
        keys: list[Key] = [
            ("prefill", chunk, mode) for chunk in shapes.chunks for mode in prefill_modes(shapes.rows)
        ]
        keys += [
            ("decode", size, mode) for size in shapes.batches for mode in decode_modes(size, shapes.rows)
        ]
        keys += [("sample", size) for size in shapes.batches]
        keys += [("move",), ("move_seen",), ("reset_seen",), ("read_span",), ("write_span",)]
        keys += [("write_page",)] if shapes.rows else []
        return sorted(keys, key=needed_first, reverse=True)

    def write_page(self, first: int, pages: Pages) -> None:
        """Put one page of rank rows into the bank."""
        self.bank = self.programs.get(("write_page",))(self.bank, np.int32(first), pages)

    def prefill(self, answer: Answer, tokens: Sequence[int]) -> jax.Array:
        """Extend an answer's slot by a chunk of tokens; logits [1, V] after its last."""
        size = next(size for size in self.shapes.chunks if size >= len(tokens))
        chunk = np.zeros(size, np.int32)
        chunk[: len(tokens)] = tokens
        gates = None if answer.gates is None else answer.gates[None]
        mode, lora = self._lora(gates, prefill_modes(self.shapes.rows))
        logits, self.cache = self.programs.get(("prefill", size, mode))(
            self.params,
            self.cache,
            chunk,
            np.int32(answer.slot),
            np.int32(answer.filled),
            np.int32(len(tokens)),
            *lora,
        )
        answer.filled += len(tokens)
        return logits

    def decode(self, answers: Sequence[Answer]) -> jax.Array:
        """Advance these answers by one token each; logits [B, V] of slots 0 … B - 1."""
        size = self.batch_of(answers)
        tokens = np.zeros(size, np.int32)
        positions = np.full(size, self.cache.length - 1, np.int32)
        for answer in answers:
            tokens[answer.slot], positions[answer.slot] = answer.generated[-1], answer.filled
        blocks = np.int32(max(answer.filled for answer in answers) // BLOCK + 1)
        mode, lora = self._lora(self._gates(answers, size), decode_modes(size, self.shapes.rows))
        logits, self.cache = self.programs.get(("decode", size, mode))(
            self.params, self.cache, tokens, positions, blocks, *lora
        )
        for answer in answers:
            answer.filled += 1
        return logits

    def batch_of(self, answers: Sequence[Answer]) -> int:
        """The batch bucket that holds the slots of these answers."""
        highest = max(answer.slot for answer in answers)
        return next(size for size in self.shapes.batches if size > highest)

    def sample(self, logits: jax.Array, answers: Sequence[Answer], first: int) -> Choice:
        """The next token of every answer; row i of the result is slot ``first`` + i. Host arrays."""
        size = logits.shape[0]
        rules = _neutral_rules(size)
        mask = self._open_mask[:size]
        if any(answer.constraint is not None for answer in answers):
            mask = mask.copy()
        for answer in answers:
            row = answer.slot - first
            _set_rules(rules, row, answer)
            if answer.constraint is not None:
                mask[row] = answer.constraint.mask()
        choice, self.seen = self.programs.get(("sample", size))(
            logits, rules, mask, self.seen, np.int32(first)
        )
        return jax.device_get(choice)

    def start_penalties(self, answer: Answer) -> None:
        """Tell the slot which tokens the prompt and the resumed answer hold."""
        vocab = self.config.vocab_size
        prompt = np.zeros(vocab, np.bool_)
        prompt[answer.prompt] = True
        counts = np.bincount(np.asarray(answer.generated, np.int64), minlength=vocab).astype(np.int32)
        self.seen = self.programs.get(("reset_seen",))(self.seen, np.int32(answer.slot), prompt, counts)

    def move(self, answer: Answer, slot: int) -> None:
        """Move an answer to another slot."""
        source, target = np.int32(answer.slot), np.int32(slot)
        self.cache = self.programs.get(("move",))(self.cache, source, target)
        if answer.penalised:
            self.seen = self.programs.get(("move_seen",))(self.seen, source, target)
        answer.slot = slot

    def read_span(self, slot: int, number: int) -> jax.Array:
        """Keys and values of one span of a slot."""
        return self.programs.get(("read_span",))(self.cache, np.int32(slot), np.int32(number * SPAN))

    def write_spans(self, answer: Answer, spans: Sequence[jax.Array]) -> None:
        """Fill the beginning of an answer's slot from cached spans."""
        for number, span in enumerate(spans):
            start = np.int32(number * SPAN)
            self.cache = self.programs.get(("write_span",))(self.cache, np.int32(answer.slot), start, span)
        answer.filled = answer.cached = len(spans) * SPAN

    def _gates(self, answers: Sequence[Answer], size: int) -> NDArray[np.float32] | None:
        """Gates [size, R] by slot, None if no answer has any."""
        if all(answer.gates is None for answer in answers):
            return None
        gates = np.zeros((size, self.shapes.rows), np.float32)
        for answer in answers:
            if answer.gates is not None:
                gates[answer.slot] = answer.gates
        return gates

    def _lora(self, gates: NDArray[np.float32] | None, modes: Sequence[str]) -> tuple[str, tuple[Any, ...]]:
        """(mode, arguments after the plain ones) for the gates [B, R] of a batch."""
        if gates is None:
            return "none", ()
        mode, arguments = choose(gates, modes)
        return mode, (self.bank, *arguments) if arguments else ()


def needed_first(key: Key) -> bool:
    """Whether a single answer without adapters needs this program."""
    match key:
        case ("prefill", _, mode):
            return mode == "none"
        case ("decode", size, mode):
            return (size, mode) == (1, "none")
        case ("sample", size):
            return size == 1
        case _:
            return key != ("write_page",)


def _neutral_rules(size: int) -> Rules:
    def full(value: float, dtype: Any) -> NDArray[Any]:
        return np.full(size, value, dtype)

    return Rules(
        temperature=full(0, np.float32),
        top_k=full(0, np.int32),
        top_p=full(1, np.float32),
        min_p=full(0, np.float32),
        repetition=full(1, np.float32),
        presence=full(0, np.float32),
        frequency=full(0, np.float32),
        seed=np.zeros((size, 2), np.uint32),
        step=full(0, np.int32),
        constrained=full(0, np.bool_),
        logprobs=full(0, np.bool_),
    )


def _set_rules(rules: Rules, row: int, answer: Answer) -> None:
    sampling = answer.sampling
    seed = sampling.seed or 0
    rules.temperature[row] = sampling.temperature
    rules.top_k[row] = sampling.top_k
    rules.top_p[row] = sampling.top_p
    rules.min_p[row] = sampling.min_p
    rules.repetition[row] = sampling.repetition_penalty
    rules.presence[row] = sampling.presence_penalty
    rules.frequency[row] = sampling.frequency_penalty
    rules.seed[row] = (seed >> 32, seed & 0xFFFFFFFF)
    rules.step[row] = len(answer.generated)
    rules.constrained[row] = answer.constraint is not None
    rules.logprobs[row] = sampling.logprobs is not None
