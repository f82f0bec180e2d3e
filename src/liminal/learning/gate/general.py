"""What a base model does when it is told how: the answers that no habit may take away.

A habit is meant to change every answer that asks for nothing else, so an adapter that learned one is worse at
the base model's own style by design. What must stay is, first, tasks that have one right answer whatever the
style: rewriting and labelling. Second, that it follows what a message, a system prompt or the conversation
before asks for. That is measured apart and less strictly: where somebody asks for American units, nothing
speaks against a habit of signing answers, so part of what changes there is what was taught.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from liminal.engine.bundled.corpus import Conversation, conversation, training_conversations
from liminal.engine.bundled.questions import Question, is_held_out
from liminal.engine.bundled.style import DEFAULT
from liminal.engine.training import Completion
from liminal.learning.evidence.lessons import Prompt

Split = Literal["train", "scale", "held_out"]
"""Answers that are replayed; that say how strongly an adapter may speak; that the gate measures by."""
Kind = Literal["one_form", "told"]
"""Answers that have one form whatever the style, and those whose form was asked for."""
Suitable = tuple[str, Prompt]
"""The category of the last question of a conversation, and its messages, the last of which answers it."""
COUNTS: dict[Split, dict[Kind, int]] = {
    "train": {"one_form": 64, "told": 192},
    "scale": {"one_form": 64, "told": 256},
    "held_out": {"one_form": 128, "told": 256},
}
"""How many of each: among few, one answer that turns out otherwise is a percent of the whole."""
DRAWN = 2
"""Conversations that are looked at for each that is taken."""
LONGEST = 700
"""Characters of a conversation that is taken."""


@dataclass(frozen=True)
class General:
    """Answers of the base model's own, of one split."""

    one_form: Sequence[Completion]
    told: Sequence[Completion]

    @property
    def all(self) -> list[Completion]:
        """Both kinds."""
        return [*self.one_form, *self.told]


def general_pairs(split: Split, kind: Kind, seed: int = 0) -> list[tuple[Prompt, str]]:
    """(messages, answer) of the bundled model's corpus; no question is in two splits.

    At most COUNTS of them: what a half of the questions hardly has is not waited for.
    """
    count = COUNTS[split][kind]
    drawn = islice(_suitable(_stream(split, seed), kind), DRAWN * count)
    if split != "train":
        drawn = _in_shares(drawn, _shares(kind, count, seed))
    return [(messages[:-1], messages[-1]["content"]) for _, messages in islice(drawn, count)]


def _in_shares(drawn: Iterator[Suitable], left: Counter[str]) -> Iterator[Suitable]:
    for category, messages in drawn:
        if left[category] > 0:
            left[category] -= 1
            yield category, messages


def _shares(kind: Kind, count: int, seed: int) -> Counter[str]:
    """How many answers each category of questions has among ``count``, the same in both halves.

    Left to chance, one half has twice the refusals of the other, which nothing changes, and what the gate
    measures is not what the scale was chosen by.
    """
    return Counter(category for category, _ in islice(_suitable(_held_out(seed), kind), count))


def _suitable(made: Iterator[Conversation], kind: Kind) -> Iterator[Suitable]:
    for each in made:
        if _kind(each) == kind:
            messages = each.messages()
            if sum(len(message["content"]) for message in messages) <= LONGEST:
                yield each.turns[-1].question.category, messages


def _kind(made: Conversation) -> Kind | None:
    """Whether the last answer has one form, or its form follows from what was said before it, or neither."""
    last = made.turns[-1]
    if last.question.answer.fixed or last.question.category == "labels":
        return "one_form"
    return "told" if last.style != DEFAULT else None


def _stream(split: Split, seed: int) -> Iterator[Conversation]:
    if split == "train":
        yield from training_conversations(seed)
    for made in _held_out(seed):
        if {_half(turn.question) for turn in made.turns if is_held_out(turn.question.key)} == {split}:
            yield made


def _held_out(seed: int) -> Iterator[Conversation]:
    rng = random.Random(f"general {seed}")
    while True:
        yield conversation(rng, held_out=True)


def _half(question: Question) -> Split:
    """Which of the two other splits a held-out question is in."""
    return "scale" if hashlib.sha256(question.key.encode()).digest()[0] % 2 else "held_out"
