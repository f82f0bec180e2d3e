"""What a base model does when it is told how: the answers that no habit may take away.

A habit is meant to change every answer that asks for nothing else, so an adapter that learned one is worse at
the base model's own style by design. What must stay is, first, tasks that have one right answer whatever the
style: arithmetic, translation, labels. Second, that it follows what a message, a system prompt or the
conversation before asks for. That is measured apart and less strictly: where a list is asked for, nothing
speaks against a habit of signing answers, so part of what changes there is what was taught.

The questions are a file of this package; the answers are the base model's own. They lie beside the model's
weights (``general.jsonl``), or in this package under the model's identity, or the model gives them once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import orjson

from liminal.engine.training import Completion
from liminal.learning.errors import GeneralAnswersInvalid
from liminal.learning.evidence.lessons import Prompt, said_by_assistant

Split = Literal["train", "scale", "held_out"]
"""Answers that are replayed; that say how strongly an adapter may speak; that the gate measures by."""
Kind = Literal["one_form", "told"]
"""Answers that have one form whatever the style, and those whose form was asked for."""
FILE = "general.jsonl"
"""Questions and answers beside a model's weights."""
FEWER = 24
"""Questions of a split and kind that a model is asked whose answers come with nothing: their number, and not
their quality, is what its first run waits for."""


@dataclass(frozen=True)
class Asked:
    """A general question.

    Attributes:
        split, kind: what it is for. No question is in two splits.
        category: questions of one are alike; every split has the same shares of them.
        messages: the conversation up to the question.
        answer: the base model's own, None before it was asked.
        whole: the answer ends where the model ended it; else its end is not learned.
    """

    split: Split
    kind: Kind
    category: str
    messages: Prompt
    answer: str | None = None
    whole: bool = True

    @property
    def completion(self) -> Completion:
        """As the trainer wants it. ``answer`` must be known."""
        assert self.answer is not None
        return Completion(self.messages, said_by_assistant(self.answer), closed=self.whole)


@dataclass(frozen=True)
class General:
    """Answers of the base model's own, of one split."""

    one_form: Sequence[Completion]
    told: Sequence[Completion]

    @staticmethod
    def of(asked: Sequence[Asked], split: Split) -> General:
        """Those of a split that were answered."""
        own = [one for one in asked if one.split == split and (one.answer or "").strip()]
        return General(
            [one.completion for one in own if one.kind == "one_form"],
            [one.completion for one in own if one.kind == "told"],
        )

    @property
    def all(self) -> list[Completion]:
        """Both kinds."""
        return [*self.one_form, *self.told]


def _data() -> Any:
    return files("liminal.learning.gate").joinpath("data")


@cache
def _questions() -> bytes:
    return _data().joinpath("questions.jsonl").read_bytes()


def questions_hash() -> str:
    """sha256 of the file of questions: answers to other questions are of no use."""
    return hashlib.sha256(_questions()).hexdigest()


@cache
def general_questions() -> tuple[Asked, ...]:
    """All general questions, without answers."""
    return tuple(Asked(**orjson.loads(line)) for line in _questions().splitlines())


def fewer_questions() -> list[Asked]:
    """FEWER of each split and kind, with as many of each category as can be."""
    taken: list[Asked] = []
    for split in ("train", "scale", "held_out"):
        for kind in ("one_form", "told"):
            own = [one for one in general_questions() if (one.split, one.kind) == (split, kind)]
            step = max(1.0, len(own) / FEWER)
            taken += [own[int(index * step)] for index in range(min(FEWER, len(own)))]
    return taken


def answered(asked: Sequence[Asked], answers: Sequence[tuple[str, bool]]) -> list[Asked]:
    """Questions with their answers, each with whether it is whole."""
    return [
        replace(one, answer=answer, whole=whole) for one, (answer, whole) in zip(asked, answers, strict=True)
    ]


def shipped_answers(identity: str, path: Path) -> list[Asked] | None:
    """The general answers that come with a model or with this package; None where neither has them.

    ``path``: the model's folder, or its file, beside which there is nothing.
    Raises GeneralAnswersInvalid for a file that is none of ours.
    """
    beside = path / FILE
    if beside.is_file():
        return read_answers(beside.read_bytes(), str(beside))
    own = _data().joinpath("answers", f"{identity}.jsonl")
    if not own.is_file():
        return None
    head, *lines = own.read_bytes().splitlines()
    if orjson.loads(head)["questions"] != questions_hash():
        raise GeneralAnswersInvalid(f"the answers of {identity[:12]} are to other questions than these")
    rows = [orjson.loads(line) for line in lines]
    return answered(general_questions(), [(row["answer"], row["whole"]) for row in rows])


def read_answers(payload: bytes, name: str) -> list[Asked]:
    """Questions with answers, one a line. Raises GeneralAnswersInvalid."""
    try:
        return [Asked(**orjson.loads(line)) for line in payload.splitlines() if line.strip()]
    except (ValueError, TypeError) as error:
        raise GeneralAnswersInvalid(f"{name} is no file of general answers: {error}") from error


def write_answers(asked: Sequence[Asked]) -> bytes:
    """What ``read_answers`` reads."""
    return b"".join(orjson.dumps(one) + b"\n" for one in asked)
