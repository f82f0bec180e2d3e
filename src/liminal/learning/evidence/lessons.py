"""One piece of feedback as a lesson: what was asked, what should be said, what should not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from liminal.engine.training import Completion, Example, Judgement, Preference

Kind = Literal["corrected", "liked", "preferred", "disliked"]
Prompt = list[dict[str, str]]


@dataclass(frozen=True)
class Lesson:
    """One thing to learn.

    Attributes:
        feedback_ids: the feedback it rests on; the first names it.
        owner: the account that gave it.
        at: when, RFC 3339.
        kind: an answer corrected; liked; preferred to a sibling; only disliked.
        prompt: the messages that led to the answer.
        wanted: what should be said; None where only a dislike is known.
        unwanted: what was said instead; None where nothing was.
    """

    feedback_ids: tuple[UUID, ...]
    owner: UUID
    conversation_id: UUID
    at: str
    kind: Kind
    prompt: Prompt
    wanted: str | None
    unwanted: str | None

    @property
    def id(self) -> UUID:
        """Names the lesson."""
        return self.feedback_ids[0]

    @property
    def example(self) -> Example:
        """What the trainer gets: SFT on a correction or a like, DPO on a choice, KTO for a bare dislike.

        A correction is learned where it changes what was said: see Completion.said.
        """
        if self.wanted is None:
            assert self.unwanted is not None
            return Judgement(self.prompt, said_by_assistant(self.unwanted), False)
        if self.unwanted is None:
            return Completion(self.prompt, said_by_assistant(self.wanted))
        if self.kind == "corrected":
            said = said_by_assistant(self.unwanted)
            return Completion(self.prompt, said_by_assistant(self.wanted), said=said)
        return Preference(self.prompt, said_by_assistant(self.wanted), said_by_assistant(self.unwanted))

    @property
    def method(self) -> str:
        """The loss that learns it."""
        if self.wanted is None:
            return "kto"
        return "sft" if self.unwanted is None or self.kind == "corrected" else "dpo"

    def as_json(self) -> dict[str, Any]:
        """Its words, to be sealed."""
        return {"prompt": self.prompt, "wanted": self.wanted, "unwanted": self.unwanted}


def said_by_assistant(text: str) -> list[dict[str, str]]:
    """An answer as a chat template wants it."""
    return [{"role": "assistant", "content": text}]


def with_answer(lessons: Iterable[Lesson]) -> list[Lesson]:
    """Those that say what is wanted: the ones that a likelihood can judge."""
    return [lesson for lesson in lessons if lesson.wanted is not None]


def all_feedback(lessons: Sequence[Lesson]) -> list[UUID]:
    """Every piece of feedback that the lessons rest on, sorted."""
    return sorted({feedback for lesson in lessons for feedback in lesson.feedback_ids})
