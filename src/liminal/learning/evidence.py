"""What a person's feedback teaches: examples to learn, examples to be judged by, cases to keep."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from liminal.chat.context import branch_of
from liminal.engine.training import Completion, Preference
from liminal.storage.postgres import Pool

HELD_OUT_SHARE = 4
"""One conversation in this many is kept back for the gate, chosen by its id."""
SMALLEST_HELD_OUT = 2

# a correction replaces the answer; a thumb up keeps it
_FEEDBACK = """
    SELECT f.feedback_id, f.kind, f.text, f.message_id, f.conversation_id, m.parent_id, m.content
    FROM read.feedback f JOIN read.messages m ON m.message_id = f.message_id
    WHERE f.owner_id = $1 AND NOT f.withdrawn AND m.role = 'assistant' AND m.parent_id IS NOT NULL
      AND (f.kind = 'correction' AND f.text IS NOT NULL OR f.kind = 'thumb' AND f.value = 1)
    ORDER BY f.created_at, f.feedback_id
"""


@dataclass(frozen=True)
class Lesson:
    """One piece of feedback as training data.

    Attributes:
        prompt: the messages that led to the answer.
        answer: what should have been said (or was, and was liked).
        said: what was said instead; None where it was liked.
    """

    feedback_id: UUID
    conversation_id: UUID
    prompt: list[dict[str, str]]
    answer: str
    said: str | None

    @property
    def completion(self) -> Completion:
        """To be learned, or to be judged by."""
        return Completion(self.prompt, said_by_assistant(self.answer))


@dataclass(frozen=True)
class Evidence:
    """All that one account's feedback teaches."""

    learned: Sequence[Lesson]
    held_out: Sequence[Lesson]

    @property
    def feedback_ids(self) -> list[UUID]:
        """Every piece of feedback in it, in order."""
        return sorted(lesson.feedback_id for lesson in (*self.learned, *self.held_out))

    @property
    def cases(self) -> list[Preference]:
        """Every correction as a case that a version has to keep."""
        return [
            Preference(lesson.prompt, said_by_assistant(lesson.answer), said_by_assistant(lesson.said))
            for lesson in (*self.learned, *self.held_out)
            if lesson.said is not None
        ]

    def payload(self) -> bytes:
        """The data set as JSON, the same bytes for the same feedback."""
        rows = [self._row(lesson, "train") for lesson in self.learned]
        rows += [self._row(lesson, "held_out") for lesson in self.held_out]
        # asyncpg's UUIDs are of a class of their own, which orjson knows not
        return orjson.dumps({"format": "liminal.dataset.v1", "lessons": rows}, default=str)

    @classmethod
    def parse(cls, payload: bytes) -> Evidence:
        """The data set of a blob."""
        parts: dict[str, list[Lesson]] = {"train": [], "held_out": []}
        for row in orjson.loads(payload)["lessons"]:
            lesson = Lesson(
                UUID(row["feedback_id"]),
                UUID(row["conversation_id"]),
                row["prompt"],
                row["answer"],
                row["said"],
            )
            parts[row["part"]].append(lesson)
        return cls(parts["train"], parts["held_out"])

    @staticmethod
    def _row(lesson: Lesson, part: str) -> dict[str, Any]:
        return {
            "part": part,
            "feedback_id": lesson.feedback_id,
            "conversation_id": lesson.conversation_id,
            "prompt": lesson.prompt,
            "answer": lesson.answer,
            "said": lesson.said,
        }


async def evidence_of(pool: Pool, owner: UUID) -> Evidence:
    """What an account's feedback teaches as the read models have it now."""
    lessons: dict[UUID, Lesson] = {}
    for row in await pool.fetch(_FEEDBACK, owner):
        corrected = row["kind"] == "correction"
        if row["message_id"] in lessons and not corrected:
            continue  # a correction of the same answer says more than a thumb
        branch = await branch_of(pool, row["conversation_id"], row["parent_id"])
        if branch and (row["text"] or row["content"]):
            lessons[row["message_id"]] = Lesson(
                row["feedback_id"],
                row["conversation_id"],
                [{"role": message.role, "content": message.content} for message in branch],
                row["text"] if corrected else row["content"],
                row["content"] if corrected else None,
            )
    return split(list(lessons.values()))


def said_by_assistant(text: str) -> list[dict[str, str]]:
    """An answer as a chat template wants it."""
    return [{"role": "assistant", "content": text}]


def split(lessons: Sequence[Lesson]) -> Evidence:
    """Keep whole conversations back, always the same ones, and at least two lessons if there are enough."""
    ordered = sorted(lessons, key=lambda lesson: (_rank(lesson.conversation_id), lesson.feedback_id))
    held: list[Lesson] = []
    wanted = max(SMALLEST_HELD_OUT, len(lessons) // HELD_OUT_SHARE)
    conversations = dict.fromkeys(lesson.conversation_id for lesson in ordered)
    for conversation_id in conversations:
        group = [lesson for lesson in ordered if lesson.conversation_id == conversation_id]
        if len(held) >= wanted or len(lessons) - len(held) - len(group) < SMALLEST_HELD_OUT:
            break
        held += group
    if len(held) < SMALLEST_HELD_OUT:  # one long conversation: its last lessons are kept back
        by_time = sorted(lessons, key=lambda lesson: lesson.feedback_id)
        held = by_time[-wanted:]
    kept = {lesson.feedback_id for lesson in held}
    return Evidence([lesson for lesson in lessons if lesson.feedback_id not in kept], held)


def _rank(conversation_id: UUID) -> bytes:
    return hashlib.sha256(conversation_id.bytes).digest()
