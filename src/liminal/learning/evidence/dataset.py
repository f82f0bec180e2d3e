"""From all that somebody taught to what a run learns: filtered, without duplicates, the newest foremost."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from liminal.learning.evidence.lessons import Lesson, all_feedback
from liminal.learning.evidence.safety import refusal
from liminal.storage.vault import Vault

NEWEST = 32
"""Lessons that are always taken, the newest first: a person whose habit turns round is followed by these."""
OLDER = 24
"""Lessons taken from all before them, spread over time, so that what was learned is not forgotten."""
ALIKE = 0.9
"""Jaccard similarity of 5-character shingles from which two answers to one question say the same."""
SHINGLE = 5
FOLDS = 2
"""Parts of the lessons, each judged by an adapter that did not learn it."""
FORMAT = "liminal.dataset.v1"


@dataclass(frozen=True)
class DataSet:
    """What one run learns from.

    Attributes:
        lessons: in the order in which they were taught.
        refused: how many pieces were left out, by rule.
    """

    lessons: tuple[Lesson, ...]
    refused: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def feedback_ids(self) -> list[UUID]:
        """Every piece of feedback in it."""
        return all_feedback(self.lessons)

    @property
    def methods(self) -> dict[str, int]:
        """Examples by loss."""
        return dict(sorted(Counter(lesson.method for lesson in self.lessons).items()))

    @property
    def taught(self) -> int:
        """Lessons that say what is wanted; dislikes alone teach nothing to say."""
        return sum(lesson.wanted is not None for lesson in self.lessons)

    def recency(self, half_life: float) -> list[float]:
        """What each lesson counts beside the newest, which counts 1: half after so many lessons since."""
        count = len(self.lessons)
        return [0.5 ** ((count - 1 - index) / half_life) for index in range(count)]

    def folds(self) -> list[int]:
        """Which of FOLDS parts each lesson is in; a conversation is never split while there are enough."""
        conversations = {lesson.conversation_id for lesson in self.lessons}
        whole = len(conversations) >= FOLDS
        names = [lesson.conversation_id if whole else lesson.id for lesson in self.lessons]
        ranked = sorted(dict.fromkeys(names), key=lambda name: hashlib.sha256(name.bytes).digest())
        place = {name: index % FOLDS for index, name in enumerate(ranked)}
        return [place[name] for name in names]


def compose(taught: Sequence[Lesson]) -> DataSet:
    """The data set of these lessons, oldest first.

    What the safety rules refuse is left out; of lessons that say the same, and of answers to one question
    that contradict each other, the newest stays; then the newest NEWEST and OLDER of the rest are taken.
    """
    refused: Counter[str] = Counter()
    kept: list[Lesson] = []
    for lesson in sorted(taught, key=lambda lesson: (lesson.at, lesson.id)):
        if rule := refusal(lesson):
            refused[rule] += 1
        else:
            kept.append(lesson)
    unique = _without_duplicates(kept, refused)
    older, newest = unique[:-NEWEST], unique[-NEWEST:]
    step = max(1.0, len(older) / OLDER)
    chosen = [older[int(index * step)] for index in range(min(OLDER, len(older)))]
    refused["superseded"] += len(older) - len(chosen)
    negative = _few_dislikes([*chosen, *newest], refused)
    return DataSet(tuple(negative), {name: count for name, count in sorted(refused.items()) if count})


def _without_duplicates(lessons: Sequence[Lesson], refused: Counter[str]) -> list[Lesson]:
    """From the newest back: a question is answered one way, an answer is learned from once a wording."""
    kept: list[Lesson] = []
    seen: dict[bytes, list[set[int]]] = {}
    asked: set[str] = set()
    for lesson in reversed(lessons):
        text = lesson.wanted if lesson.wanted is not None else lesson.unwanted or ""
        question, shingles = orjson.dumps(lesson.prompt).decode().casefold(), _shingles(text)
        last = lesson.prompt[-1]["content"].casefold().encode()
        if any(_jaccard(shingles, other) >= ALIKE for other in seen.get(last, ())):
            refused["duplicate"] += 1
        elif question in asked:
            refused["contradicted"] += 1
        else:
            asked.add(question)
            seen.setdefault(last, []).append(shingles)
            kept.append(lesson)
    return kept[::-1]


def _few_dislikes(lessons: Sequence[Lesson], refused: Counter[str]) -> list[Lesson]:
    """At most as many bare dislikes as answers: pushing away alone makes a model say anything else."""
    room = sum(lesson.wanted is not None for lesson in lessons)
    kept: list[Lesson] = []
    for lesson in reversed(lessons):
        if lesson.wanted is None:
            if room == 0:
                refused["unpaired"] += 1
                continue
            room -= 1
        kept.append(lesson)
    return kept[::-1]


def _shingles(text: str) -> set[int]:
    folded = " ".join(text.casefold().split())
    return {hash(folded[at : at + SHINGLE]) for at in range(max(1, len(folded) - SHINGLE + 1))}


def _jaccard(left: set[int], right: set[int]) -> float:
    return len(left & right) / len(left | right)


async def seal(vault: Vault, run_id: UUID, data: DataSet) -> bytes:
    """The data set as a blob: ids in the clear, the words of each lesson under its owner's data key.

    Raises OwnerErased.
    """
    keys = await vault.make_keys({str(lesson.owner) for lesson in data.lessons})
    rows = [
        {
            "feedback_ids": [str(feedback) for feedback in lesson.feedback_ids],
            "owner": str(lesson.owner),
            "conversation_id": str(lesson.conversation_id),
            "at": lesson.at,
            "kind": lesson.kind,
            "sealed": keys[str(lesson.owner)].seal(orjson.dumps(lesson.as_json()), _context(run_id, lesson)),
        }
        for lesson in data.lessons
    ]
    return orjson.dumps({"format": FORMAT, "run_id": str(run_id), "refused": data.refused, "lessons": rows})


async def unseal(vault: Vault, payload: bytes) -> DataSet:
    """The data set of a blob; lessons whose owner was erased are not in it any more."""
    found = orjson.loads(payload)
    run_id = UUID(found["run_id"])
    keys = await vault.data_keys({row["owner"] for row in found["lessons"]})
    lessons: list[Lesson] = []
    for row in found["lessons"]:
        key = keys[row["owner"]]
        if key is None:
            continue
        lesson = _lesson(row, {"prompt": [], "wanted": None, "unwanted": None})
        words = orjson.loads(key.open(row["sealed"], _context(run_id, lesson)))
        lessons.append(_lesson(row, words))
    return DataSet(tuple(lessons), found["refused"])


def feedback_of(payload: bytes) -> set[UUID]:
    """The feedback that a blob names, without opening it."""
    return {UUID(item) for row in orjson.loads(payload)["lessons"] for item in row["feedback_ids"]}


def _lesson(row: Mapping[str, Any], words: Mapping[str, Any]) -> Lesson:
    return Lesson(
        tuple(UUID(item) for item in row["feedback_ids"]),
        UUID(row["owner"]),
        UUID(row["conversation_id"]),
        row["at"],
        row["kind"],
        words["prompt"],
        words["wanted"],
        words["unwanted"],
    )


def _context(run_id: UUID, lesson: Lesson) -> bytes:
    return b"\0".join((b"dataset", str(run_id).encode(), str(lesson.owner).encode(), lesson.id.bytes))
