"""The general answers of the bundled model (``general.jsonl`` beside its weights), from its corpus.

Rewriting and labelling have one right form; where a message, a system prompt or the conversation before asks
for a form, the answer follows it. ``liminal.learning.gate.general`` says what they are for.
``python -m liminal.engine.bundled.general`` writes the file.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal

import orjson

from liminal.engine.bundled.corpus import Conversation, conversation, training_conversations
from liminal.engine.bundled.folder import model_path
from liminal.engine.bundled.questions import Question, is_held_out
from liminal.engine.bundled.style import DEFAULT

Split = Literal["train", "scale", "held_out"]
"""Answers that are replayed; that say how strongly an adapter may speak; that the gate measures by."""
Kind = Literal["one_form", "told"]
"""Answers that have one form whatever the style, and those whose form was asked for."""
Prompt = list[dict[str, str]]
Suitable = tuple[str, Prompt]
"""The category of the last question of a conversation, and its messages, the last of which answers it."""
FILE = "general.jsonl"
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


def general_rows(split: Split, kind: Kind, seed: int = 0) -> list[dict[str, Any]]:
    """Questions and answers of the bundled model's corpus; no question is in two splits.

    At most COUNTS of them: what a half of the questions hardly has is not waited for.
    """
    count = COUNTS[split][kind]
    drawn = islice(_suitable(_stream(split, seed), kind), DRAWN * count)
    if split != "train":
        drawn = _in_shares(drawn, _shares(kind, count, seed))
    return [
        {
            "split": split,
            "kind": kind,
            "category": category,
            "messages": messages[:-1],
            "answer": messages[-1]["content"],
        }
        for category, messages in islice(drawn, count)
    ]


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


def main() -> None:
    """Write the file."""
    rows = [row for split, kinds in COUNTS.items() for kind in kinds for row in general_rows(split, kind)]
    (model_path() / FILE).write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))


if __name__ == "__main__":
    main()
