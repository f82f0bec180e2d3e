"""Which examples an optimizer step sees, in which rows, with which weights.

Everything here is a pure function of data, settings and seed, so that a resumed run meets the batches that
the interrupted one would have met.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import cached_property, lru_cache

import numpy as np

from liminal.engine.training.batch import (
    Batch,
    BatchBuilder,
    ExpectedOf,
    LowerOf,
    Piece,
    Rows,
    Shape,
    packed_length,
    size_above,
)
from liminal.engine.training.config import TrainConfig
from liminal.engine.training.encoding import Encoded

Slots = list[tuple[int, int]]


class Kind(Enum):
    """What an item's sequences are: one answer; chosen and rejected; one judged answer."""

    ANSWER = auto()
    PAIR = auto()
    JUDGEMENT = auto()


@dataclass(frozen=True)
class Item:
    """An example in tokens.

    references: log-probability of each sequence under the reference, once that is known.
    sign: +1 or −1, of a judgement.
    mismatch: for KTO's KL estimate, the prompt with another answer; mismatch_reference: its log-probability
      under the reference.
    """

    job: int
    kind: Kind
    sequences: tuple[Encoded, ...]
    references: tuple[float, ...] = ()
    sign: float = 1.0
    replayed: bool = False
    mismatch: Encoded | None = None
    mismatch_reference: float = 0.0

    @property
    def taught(self) -> Encoded:
        """The sequence whose tokens stand for the item."""
        return self.sequences[0]


@lru_cache(maxsize=64)
def shuffled(seed: int, epoch: int, count: int) -> tuple[int, ...]:
    """The order of an epoch."""
    return tuple(np.random.default_rng((seed, 0, epoch)).permutation(count).tolist())


@dataclass(frozen=True)
class Job:
    """What one adapter learns from.

    places: the items of a pass, by index. reference: its reference's line in the gate table.
    """

    name: str
    items: tuple[Item, ...]
    replay: tuple[Item, ...]
    places: tuple[int, ...]
    reference: int

    def steps(self, config: TrainConfig) -> int:
        """Optimizer steps that this job takes part in."""
        total = config.epochs * -(-len(self.places) // config.batch_size)
        return total if config.max_steps is None else min(total, config.max_steps)

    def step(self, index: int, config: TrainConfig) -> list[Item]:
        """The items of step ``index``; none once the job is done."""
        if index >= self.steps(config):
            return []
        epoch, place = divmod(index, -(-len(self.places) // config.batch_size))
        order = shuffled(config.seed, epoch, len(self.places))
        chosen = order[place * config.batch_size : (place + 1) * config.batch_size]
        own = [self.items[self.places[i]] for i in chosen]
        again = min(len(self.replay), round(config.replay_ratio * len(own)))
        picked = np.random.default_rng((config.seed, 1, index)).permutation(len(self.replay))[:again]
        return own + [self.replay[i] for i in sorted(picked)]


@dataclass(frozen=True)
class Weights:
    """What one token, pair or thumb of a job counts in a step."""

    answer: float
    pair: float
    chosen: float
    thumb: float
    replay: float
    keep: float
    distilled: float
    kl: float
    kl_on_replay: bool

    @staticmethod
    def of(items: Sequence[Item], config: TrainConfig) -> Weights:
        """Means over the step, each kind weighed by its share of the step's own items."""
        own = [item for item in items if not item.replayed]
        distilled = [item for item in own if item.taught.teacher]
        answers = [item for item in own if item.kind is Kind.ANSWER and not item.taught.teacher]
        pairs = [item for item in own if item.kind is Kind.PAIR]
        replayed = [item for item in items if item.replayed]
        held = replayed or own
        return Weights(
            answer=len(answers) / len(own) / max(_tokens(answers), 1),
            pair=1 / len(own),
            chosen=config.chosen_weight * len(pairs) / len(own) / max(_tokens(pairs), 1),
            thumb=1 / len(own),
            replay=config.replay_weight / max(_tokens(replayed) + _held(replayed), 1),
            keep=config.keep_weight * len(answers) / len(own) / max(_held(answers), 1),
            distilled=len(distilled) / len(own) / max(_held(distilled), 1),
            kl=config.kl_weight / max(_tokens(held), 1),
            kl_on_replay=bool(replayed),
        )

    def held(self, item: Item) -> float:
        """What each token of an item counts that is held to the base."""
        if item.replayed:
            return self.replay
        return self.distilled if item.taught.teacher else self.keep


def _tokens(items: Sequence[Item]) -> int:
    return sum(item.taught.targets for item in items)


def _held(items: Sequence[Item]) -> int:
    return sum(len(item.taught.kept) for item in items)


@dataclass(frozen=True)
class Placed:
    """An item with the slots of its pieces, in a batch whose rows have ``length`` tokens."""

    item: Item
    pieces: list[Piece]
    slots: Slots


Micro = tuple[int, int, list[Placed]]
"""(tokens a row, rows, what lies in them)."""


def row_length(longest: int) -> int:
    """The row length for sequences of up to ``longest`` tokens."""
    return size_above(longest, 64)


def lay_out(
    groups: Sequence[list[Piece]], length: int, limit: int | None, single: bool
) -> list[tuple[int, list[tuple[int, Slots]]]]:
    """Groups of pieces into batches, the largest first: per batch its rows and (group, slots).

    The pieces of a group come into the same batch.
    """
    order = sorted(range(len(groups)), key=lambda i: -max(len(piece.sequence) for piece in groups[i]))
    batches: list[tuple[int, list[tuple[int, Slots]]]] = []
    rows, held = Rows(length, limit, single), list[tuple[int, Slots]]()
    for index in order:
        slots = rows.place(groups[index])
        if slots is None:
            batches.append((len(rows.lines), held))
            rows, held = Rows(length, limit, single), []
            slots = rows.place(groups[index])
            assert slots is not None, "an empty batch takes any group"
        held.append((index, slots))
    return [*batches, (len(rows.lines), held)] if held else batches


def even_limit(most: int, length: int, budget: int) -> int:
    """Rows of a batch: within ``budget`` tokens, and such that ``most`` rows fill their batches evenly."""
    limit = max(1, budget // length)
    return -(-most // -(-most // limit)) if most else 1


class Plan:
    """The batches of every step of a run of several jobs."""

    def __init__(self, jobs: Sequence[Job], config: TrainConfig) -> None:
        self.jobs = tuple(jobs)
        self.config = config
        self.base = len(self.jobs)
        self.joint = config.reference_pass == "joint"
        self.lower: LowerOf | None = None
        self.expected: ExpectedOf | None = None
        self.steps = max(job.steps(config) for job in self.jobs)
        self._limits = self._row_limits()
        self.shapes = self._shapes()

    def rates(self, step: int) -> list[float]:
        """Each job's learning rate: its own schedule, as if it were trained alone."""
        return [self.config.rate(step, job.steps(self.config)) for job in self.jobs]

    def batches(self, step: int) -> Iterator[Batch]:
        """The batches whose gradients make up the step."""
        items = [job.step(step, self.config) for job in self.jobs]
        weights = {job: Weights.of(own, self.config) for job, own in enumerate(items) if own}
        for length, _, placed in self.micros(step):
            builder = BatchBuilder(self.lower, self.expected)
            for each in placed:
                _ask(builder, each, length, weights[each.item.job], self)
            yield builder.build(self.shapes[length], len(self.jobs))

    def seen(self) -> list[Item]:
        """The items that any step sees, each once, in a fixed order."""
        steps = (job.step(step, self.config) for step in range(self.steps) for job in self.jobs)
        return list({id(item): item for items in steps for item in items}.values())

    def pieces(self, item: Item) -> list[Piece]:
        """The item's sequences with its own adapter, then, in a joint pass, with its reference."""
        pieces = [Piece(sequence, item.job) for sequence in item.sequences]
        if self.joint and item.kind is not Kind.ANSWER:
            pieces += [Piece(sequence, self.jobs[item.job].reference) for sequence in item.sequences]
        return pieces

    def _groups(self, step: int) -> Iterator[tuple[int, list[Item], list[list[Piece]]]]:
        by_length: dict[int, tuple[list[Item], list[list[Piece]]]] = {}
        whole = self._length if self.config.packing else 0
        for job in self.jobs:
            items = job.step(step, self.config)
            on_replay = any(item.replayed for item in items)
            for item in items:
                pieces = self.pieces(item)
                if self.config.kl_weight and item.replayed == on_replay:
                    pieces.append(Piece(item.taught, self.base))
                length = whole or row_length(max(len(piece.sequence) for piece in pieces))
                found = by_length.setdefault(length, ([], []))
                found[0].append(item)
                found[1].append(pieces)
        for length in sorted(by_length):
            yield length, *by_length[length]

    @cached_property
    def _length(self) -> int:
        """Of every row: that in which the items of the run lie best, each job's in rows of its own."""
        lengths = [
            [len(s) for item in (*job.items, *job.replay) for s in item.sequences] for job in self.jobs
        ]
        return packed_length(lengths, self.config.micro_tokens)

    def _row_limits(self) -> dict[int, int]:
        most: dict[int, int] = {}
        for step in range(self.steps):
            for length, _, groups in self._groups(step):
                rows = lay_out(groups, length, None, not self.config.packing)[0][0]
                most[length] = max(most.get(length, 0), rows)
        return {length: even_limit(rows, length, self.config.micro_tokens) for length, rows in most.items()}

    def micros(self, step: int) -> Iterator[Micro]:
        """The batches of a step: tokens a row, rows, what lies in them."""
        for length, items, groups in self._groups(step):
            for rows, held in lay_out(groups, length, self._limits[length], not self.config.packing):
                yield length, rows, [Placed(items[i], groups[i], slots) for i, slots in held]

    def _shapes(self) -> dict[int, Shape]:
        shapes: dict[int, Shape] = {}
        for step in range(self.steps):
            for length, rows, placed in self.micros(step):
                shapes[length] = _shape(length, rows, placed, self).over(shapes.get(length))
        return {length: shape.rounded() for length, shape in shapes.items()}


def _shape(length: int, rows: int, placed: Sequence[Placed], plan: Plan) -> Shape:
    ran = [piece for each in placed for piece in each.pieces]
    with_kl = [each for each in placed if len(each.pieces) > len(plan.pieces(each.item))]
    kl = sum(each.item.taught.targets for each in with_kl)
    return Shape(
        rows=rows,
        length=length,
        targets=sum(piece.sequence.targets for piece in ran) - kl,
        kl=kl,
        sequences=len(ran) - len(with_kl) + 1,
        pairs=sum(each.item.kind is Kind.PAIR for each in placed),
        thumbs=sum(each.item.kind is Kind.JUDGEMENT for each in placed),
        held=sum(len(piece.sequence.kept) for piece in ran),
    )


def _ask(builder: BatchBuilder, placed: Placed, length: int, weights: Weights, plan: Plan) -> None:
    """Adds an item's sequences to a batch, and what is asked of them."""
    item, count = placed.item, len(placed.item.sequences)
    match item.kind:
        case Kind.ANSWER:
            token_weight = weights.replay if item.replayed else weights.answer
        case Kind.PAIR:
            token_weight = weights.chosen
        case Kind.JUDGEMENT:
            token_weight = 0.0
    indices: list[int] = []
    for position, (piece, slot) in enumerate(zip(placed.pieces, placed.slots, strict=True)):
        if position == len(plan.pieces(item)):
            builder.base_kl(indices[0], piece, slot, length, weights.kl)
            continue
        known = item.references[position] if position < len(item.references) and not plan.joint else 0.0
        weight = token_weight if position == 0 else 0.0
        indices.append(builder.sequence(piece, slot, length, item.job, weight, known, weights.held(item)))
    for own, twin in zip(indices[:count], indices[count:], strict=False):
        builder.twins[own] = twin
    if item.kind is Kind.PAIR:
        builder.pairs.append((indices[0], indices[1], weights.pair))
    if item.kind is Kind.JUDGEMENT:
        good = plan.config.desirable_weight if item.sign > 0 else plan.config.undesirable_weight
        builder.thumbs.append((indices[0], item.sign, weights.thumb * good))


def referred(items: Sequence[Item], joint: bool) -> list[tuple[Item, Encoded]]:
    """The sequences whose log-probability under the reference must be known before the first step.

    All but answers; in a joint pass only the mismatches, which no gradient passes through anyway.
    """
    found: list[tuple[Item, Encoded]] = []
    for item in items:
        if item.kind is not Kind.ANSWER and not joint:
            found += [(item, sequence) for sequence in item.sequences]
        if item.mismatch is not None:
            found.append((item, item.mismatch))
    return found


def with_references(items: Sequence[Item], joint: bool, logps: Iterator[float]) -> tuple[Item, ...]:
    """The items with the log-probabilities of ``referred``, in its order."""
    done: list[Item] = []
    for item in items:
        own = () if joint or item.kind is Kind.ANSWER else tuple(next(logps) for _ in item.sequences)
        other = 0.0 if item.mismatch is None else next(logps)
        done.append(replace(item, references=own, mismatch_reference=other))
    return tuple(done)
