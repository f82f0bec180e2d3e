"""The strongest way without weights: the rule in the prompt, and the corrections that are most alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from liminal.bench.schooling.habits import Habit
from liminal.engine.embedder import Embedder, default_encoder

EXAMPLES = 6
"""Corrections shown, the most alike last; more crowd out the answer of a small model's context."""


@dataclass(frozen=True)
class Correction:
    """A question and the answer that its asker would rather have had."""

    question: str
    wanted: str


async def prompted(
    habit: Habit, corrections: Sequence[Correction], asked: Sequence[str], cache: Path
) -> list[list[dict[str, str]]]:
    """For each question the rule, the corrections of the most alike questions as turns, and the question.

    Alike are questions whose embeddings have the largest cosine. ``cache``: where encoders are compiled to.
    """
    embedder = Embedder(lambda: default_encoder(cache / "compiled"))
    known = np.asarray(await embedder.embed([one.question for one in corrections]))
    wanted = np.asarray(await embedder.embed(list(asked)))
    nearest = np.argsort(wanted @ known.T, axis=1)[:, -EXAMPLES:]
    return [
        _prompt(habit, [corrections[index] for index in row.tolist()], question)
        for row, question in zip(nearest, asked, strict=True)
    ]


def _prompt(habit: Habit, shown: Sequence[Correction], question: str) -> list[dict[str, str]]:
    messages = [{"role": "system", "content": habit.rule}]
    for one in shown:
        messages += [
            {"role": "user", "content": one.question},
            {"role": "assistant", "content": one.wanted},
        ]
    return [*messages, {"role": "user", "content": question}]
