"""How likely a model finds given answers, with and without adapters: what a gate decides by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from liminal.engine.config import ModelConfig
from liminal.engine.params import Lora, Params
from liminal.engine.peft import Adapter
from liminal.engine.training.bank import TrainingBank, stacked_gates
from liminal.engine.training.base import BaseModel
from liminal.engine.training.batch import Batch, BatchBuilder, LowerOf, Piece, Shape, packed_length
from liminal.engine.training.encoding import Encoded, Encoder
from liminal.engine.training.errors import TrainingDataInvalid
from liminal.engine.training.examples import Example, Preference
from liminal.engine.training.losses import flat_states, head_weight, sequence_logps, token_drift
from liminal.engine.training.lower import LowerStates, portions
from liminal.engine.training.plan import even_limit, lay_out, row_length

Mixture = Sequence[tuple[Adapter, float]]
"""Adapters with their gates; none is the base."""

BASE: Mixture = ()


@dataclass(frozen=True)
class Scores:
    """Log-probabilities of answers.

    logps: f64 [mixtures, examples], summed over an answer's tokens, in nats.
    tokens: int [examples], tokens of each answer.
    """

    logps: NDArray[np.float64]
    tokens: NDArray[np.int64]

    @property
    def nll(self) -> NDArray[np.float64]:
        """Mean negative log-likelihood of a token of each answer, nats, [mixtures, examples]."""
        return -self.logps / self.tokens

    @property
    def mean_nll(self) -> NDArray[np.float64]:
        """Mean over all tokens of all answers, nats, [mixtures]; its exponential is the perplexity."""
        return -self.logps.sum(axis=1) / self.tokens.sum()


def score(
    model: BaseModel,
    examples: Sequence[Example],
    mixtures: Sequence[Mixture] = (BASE,),
    *,
    max_length: int = 1024,
    micro_tokens: int = 4096,
) -> Scores:
    """The likelihood of each example's answer under each mixture; of a preference, the chosen one's.

    A Document measures general language: every token but its first counts. Rows of one forward pass carry
    different mixtures. Raises TrainingDataInvalid for an example without an answer.
    """
    encoder = Encoder(model.tokenizer, min(max_length, model.config.max_positions))
    sequences = [encoder.encode(example)[0] for example in examples]
    if not all(sequence.targets for sequence in sequences):
        raise TrainingDataInvalid("of a distillation no word counts: score its completion")
    logps = _mixture_logps(model, sequences, mixtures, micro_tokens)
    return Scores(logps, np.asarray([sequence.targets for sequence in sequences], np.int64))


def preference_margins(
    model: BaseModel,
    preferences: Sequence[Preference],
    mixtures: Sequence[Mixture] = (BASE,),
    *,
    max_length: int = 1024,
    micro_tokens: int = 4096,
) -> NDArray[np.float64]:
    """log p(chosen) − log p(rejected) in nats, f64 [mixtures, preferences]."""
    encoder = Encoder(model.tokenizer, min(max_length, model.config.max_positions))
    sequences = [sequence for preference in preferences for sequence in encoder.encode(preference)]
    logps = _mixture_logps(model, sequences, mixtures, micro_tokens)
    return logps[:, 0::2] - logps[:, 1::2]


def _mixture_logps(
    model: BaseModel, sequences: Sequence[Encoded], mixtures: Sequence[Mixture], micro_tokens: int
) -> NDArray[np.float64]:
    lora, gates, first = _bank_of(mixtures, model)
    found: list[NDArray[np.float64]] = []
    for some in portions(sequences, model.config.hidden_size):
        lower = LowerStates(model, some, first, micro_tokens).of if first else None
        pieces = [Piece(sequence, line) for line in range(len(mixtures)) for sequence in some]
        logps = piece_logps(model, pieces, lora, gates, micro_tokens, first=first, lower=lower)
        found.append(logps.reshape(len(mixtures), len(some)))
    return np.concatenate(found, axis=1) if found else np.zeros((len(mixtures), 0))


def _bank_of(mixtures: Sequence[Mixture], model: BaseModel) -> tuple[Lora, jax.Array, int]:
    """Adapters of mixtures side by side, a line of gates for each mixture, the lowest adapted layer."""
    adapters = list(
        {adapter.content_hash: adapter for mixture in mixtures for adapter, _ in mixture}.values()
    )
    number = {adapter.content_hash: index for index, adapter in enumerate(adapters)}
    bank = TrainingBank.of(adapters, model.config)
    table = [
        bank.gates([(number[adapter.content_hash], gate) for adapter, gate in mixture])
        for mixture in mixtures
    ]
    return bank.lora(), stacked_gates(table), bank.first if adapters else 0


@dataclass(frozen=True)
class Drift:
    """How far mixtures are from the base on given answers.

    kl: f64 [mixtures, examples], KL(base ‖ mixture) over the vocabulary, summed over an answer, in nats:
      what an answer drawn from the base would lose of its log-likelihood on average.
    entropy: f64 [examples], of the base, likewise; kl + entropy is the cross-entropy.
    tokens: int [examples], tokens of each answer.
    """

    kl: NDArray[np.float64]
    entropy: NDArray[np.float64]
    tokens: NDArray[np.int64]

    @property
    def lost(self) -> NDArray[np.float64]:
        """The share of a token's likelihood that each mixture loses, [mixtures]."""
        return 1 - np.exp(-self.kl.sum(axis=1) / self.tokens.sum())


def drift(
    model: BaseModel,
    examples: Sequence[Example],
    mixtures: Sequence[Mixture],
    *,
    max_length: int = 1024,
    micro_tokens: int = 4096,
) -> Drift:
    """What mixtures change of the base, at every token of these answers.

    The base's whole distribution says at each token what one drawn word says only on the mean of many, so a
    few answers do. Raises TrainingDataInvalid for an example without an answer.
    """
    encoder = Encoder(model.tokenizer, min(max_length, model.config.max_positions))
    sequences = [encoder.encode(example)[0] for example in examples]
    lora, gates, first = _bank_of([*mixtures, BASE], model)
    kl: list[NDArray[np.float64]] = []
    entropy: list[NDArray[np.float64]] = []
    for some in portions(sequences, model.config.hidden_size):
        lower = LowerStates(model, some, first, micro_tokens).of if first else None
        found = _portion_drift(model, some, len(mixtures), lora, gates, micro_tokens, first, lower)
        kl.append(found[0])
        entropy.append(found[1][0])
    tokens = np.asarray([sequence.targets for sequence in sequences], np.int64)
    return Drift(np.concatenate(kl, axis=1), np.concatenate(entropy), tokens)


def _portion_drift(
    model: BaseModel,
    sequences: Sequence[Encoded],
    count: int,
    lora: Lora,
    gates: jax.Array,
    micro_tokens: int,
    first: int,
    lower: LowerOf | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(KL, the base's entropy), each f64 [mixtures, sequences]; the base is the last line of the gates."""
    groups = [[Piece(sequence, line) for line in range(count + 1)] for sequence in sequences]
    length = _length(sequences, micro_tokens)
    limit = _row_limit(groups, length, micro_tokens)
    batches = lay_out(groups, length, limit, single=False)
    targets = count * max(sum(sequences[i].targets for i, _ in held) for _, held in batches)
    shape = Shape(
        # a group never parts, so one that is longer than a batch makes the batch longer
        rows=max(rows for rows, _ in batches),
        length=length,
        targets=targets,
        kl=targets,
        sequences=count * max(len(held) for _, held in batches) + 1,
    ).rounded()
    sums = np.zeros((2, count, len(sequences)))
    for _, held in batches:
        builder = BatchBuilder(lower)
        for index, slots in held:
            for piece, slot in zip(groups[index][:-1], slots[:-1], strict=True):
                own = builder.sequence(piece, slot, length, owner=0)
                builder.base_kl(own, groups[index][-1], slots[-1], length, 1.0)
        found = _batch_drift(model.params, lora, gates, builder.build(shape), model.config, first)
        values = np.asarray(found, np.float64)[:, : len(held) * count].reshape(2, -1, count)
        sums[:, :, [index for index, _ in held]] = values.swapaxes(1, 2)
    return sums[0], sums[1]


@partial(jax.jit, static_argnames=("config", "first"))
def _batch_drift(
    params: Params, bank: Lora, table: jax.Array, batch: Batch, config: ModelConfig, first: int
) -> jax.Array:
    states = flat_states(params, config, bank, table, batch, first)
    found = token_drift(states[batch.kl_state], states[batch.kl_reference], head_weight(params))
    count = batch.owner.shape[0]
    return jnp.stack(
        [jax.ops.segment_sum(values * batch.kl_weight, batch.sequence, count) for values in found]
    )


def shape_for(sequences: Sequence[Encoded], at_once: int, micro_tokens: int) -> Shape:
    """A shape in which any ``at_once`` of these sequences can be scored in rows of their own."""
    length = row_length(max(len(sequence) for sequence in sequences))
    rows = even_limit(at_once, length, micro_tokens)
    targets = rows * max(sequence.targets for sequence in sequences)
    return Shape(rows=rows, length=length, targets=targets, sequences=rows + 1).rounded()


def piece_logps(
    model: BaseModel,
    pieces: Sequence[Piece],
    bank: Lora,
    table: jax.Array,
    micro_tokens: int,
    shape: Shape | None = None,
    first: int = 0,
    lower: LowerOf | None = None,
) -> NDArray[np.float64]:
    """Summed log-probability of each piece's answer, f64 [pieces].

    shape: of shape_for; by default the one that suits just these pieces, packed.
    first, lower: the lowest layer that the bank adapts, and what enters it, of any of the sequences.
    """
    if not pieces:
        return np.zeros(0)
    groups, single = [[piece] for piece in pieces], shape is not None
    length = _length([piece.sequence for piece in pieces], micro_tokens) if shape is None else shape.length
    limit = _row_limit(groups, length, micro_tokens) if shape is None else shape.rows
    batches = lay_out(groups, length, limit, single)
    shape = (
        shape
        or Shape(
            rows=limit,
            length=length,
            targets=max(sum(pieces[i].sequence.targets for i, _ in held) for _, held in batches),
            sequences=max(len(held) for _, held in batches) + 1,
        ).rounded()
    )
    found = np.zeros(len(pieces))
    for _, held in batches:
        builder = BatchBuilder(lower)
        for index, slots in held:
            builder.sequence(pieces[index], slots[0], length, owner=0)
        sums = _batch_logps(model.params, bank, table, builder.build(shape), model.config, first)
        found[[index for index, _ in held]] = np.asarray(sums, np.float64)[: len(held)]
    return found


def _length(sequences: Sequence[Encoded], micro_tokens: int) -> int:
    return packed_length([list(map(len, sequences))], micro_tokens)


def _row_limit(groups: Sequence[list[Piece]], length: int, micro_tokens: int) -> int:
    if sum(len(piece.sequence) for group in groups for piece in group) >= micro_tokens:
        return max(1, micro_tokens // length)
    return even_limit(lay_out(groups, length, None, single=False)[0][0], length, micro_tokens)


@partial(jax.jit, static_argnames=("config", "first"))
def _batch_logps(
    params: Params, bank: Lora, table: jax.Array, batch: Batch, config: ModelConfig, first: int
) -> jax.Array:
    states = flat_states(params, config, bank, table, batch, first)
    return sequence_logps(states, params, batch)[1]
