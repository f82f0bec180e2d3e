"""Examples as tokens, with the tokens that are to be learned marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liminal.engine.controls import Rendered
from liminal.engine.errors import RequestInvalid
from liminal.engine.request import Message
from liminal.engine.tokenizer import Tokenizer
from liminal.engine.training.errors import TrainingDataInvalid
from liminal.engine.training.examples import (
    Completion,
    Content,
    Conversation,
    Distillation,
    Document,
    Example,
    Judgement,
    Preference,
    Tools,
)


@dataclass(frozen=True)
class Encoded:
    """One sequence.

    tokens: int32 [n].
    learn: bool [n], whether the token counts. Never the first: nothing precedes it.
    held: bool [n], of those that count, the ones whose target is not the token but what the base model would
      say there; None where there are none.
    teacher: what the base model reads to say it, with the same answer; None is the sequence itself.
    """

    tokens: NDArray[np.int32]
    learn: NDArray[np.bool_]
    held: NDArray[np.bool_] | None = None
    teacher: Encoded | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def learned(self) -> NDArray[np.int32]:
        """Where the tokens are that are targets themselves."""
        return np.flatnonzero(self.learn if self.held is None else self.learn & ~self.held).astype(np.int32)

    @cached_property
    def kept(self) -> NDArray[np.int32]:
        """Where those are that are held to the base model."""
        return np.flatnonzero(self.learn & self.held if self.held is not None else []).astype(np.int32)

    @property
    def targets(self) -> int:
        """How many tokens are targets themselves."""
        return len(self.learned)

    @property
    def held_to_base(self) -> Encoded:
        """The same with all that counts held to the base model."""
        return Encoded(self.tokens, self.learn, self.learn)

    @property
    def read_by_base(self) -> Encoded:
        """The sequence that the base model reads where this one is held to it."""
        return self if self.teacher is None else self.teacher

    @property
    def context(self) -> NDArray[np.int32]:
        """The tokens before the first that counts."""
        return self.tokens[: int(np.argmax(self.learn))]

    @property
    def answer(self) -> NDArray[np.int32]:
        """The first token that counts and all after it."""
        return self.tokens[int(np.argmax(self.learn)) :]


def joined(context: NDArray[np.int32], answer: NDArray[np.int32]) -> Encoded:
    """A sequence whose answer counts."""
    learn = np.arange(len(context) + len(answer)) >= max(len(context), 1)
    return Encoded(np.concatenate([context, answer]).astype(np.int32), learn)


class Encoder:
    """Turns examples into sequences of at most ``max_length`` tokens, as TRL's trainers do.

    Where a sequence is too long the beginning of its context goes first, then the end of its answer: the
    answer is what is learned.
    """

    def __init__(self, tokenizer: Tokenizer, max_length: int) -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length
        self._eos = tokenizer.special.get("eos_token", "")

    def encode(self, example: Example) -> tuple[Encoded, ...]:
        """One sequence, or two for a preference: (chosen, rejected).

        Raises TrainingDataInvalid when nothing of the example can be learned.
        """
        match example:
            case Document(text):
                ids = self.tokenizer.encode(self._closed(text))
                learn = np.arange(len(ids)) > 0
                sequences = (Encoded(np.asarray(ids, np.int32), learn),)
            case Conversation(messages, tools):
                sequences = (self._conversation(messages, tools),)
            case Completion(prompt, completion, tools, closed, said):
                sequences = self._answers(
                    prompt, (completion,) if said is None else (completion, said), tools
                )
                if said is not None:
                    sequences = (_corrected(*sequences),)
                elif not closed:
                    sequences = tuple(map(self._open, sequences))
            case Distillation(prompt, completion, teacher_prompt, tools):
                sequences = (
                    _distilled(
                        *self._answers(prompt, (completion,), tools),
                        *map(self._truncated, self._answers(teacher_prompt, (completion,), tools)),
                    ),
                )
            case Judgement(prompt, completion, _, tools):
                sequences = self._answers(prompt, (completion,), tools)
            case Preference(prompt, chosen, rejected, tools):
                sequences = self._answers(prompt, (chosen, rejected), tools)
        cut = tuple(self._truncated(sequence) for sequence in sequences)
        if not all(sequence.targets or len(sequence.kept) for sequence in cut):
            raise TrainingDataInvalid("there is nothing to learn: the completion has no tokens")
        return cut

    def _answers(
        self, prompt: Content, answers: Sequence[Content], tools: Tools | None
    ) -> tuple[Encoded, ...]:
        """TRL's rule: tokenize prompt and prompt+answer; the answer starts where they part."""
        if isinstance(prompt, str):
            if not all(isinstance(answer, str) for answer in answers):
                raise TrainingDataInvalid("prompt is text, so the completion must be text too")
            context = self.tokenizer.encode(prompt)
            wholes = [self.tokenizer.encode(prompt + self._closed(str(answer))) for answer in answers]
        else:
            if any(isinstance(answer, str) for answer in answers):
                raise TrainingDataInvalid("prompt is a chat, so the completion must be messages too")
            context = self._ids(prompt, tools, generate=True)
            wholes = [
                self._ids([*prompt, *(m for m in answer if not isinstance(m, str))], tools)
                for answer in answers
            ]
        shared = min(_common(context, whole) for whole in wholes)
        return tuple(
            joined(np.asarray(whole[:shared], np.int32), np.asarray(whole[shared:], np.int32))
            for whole in wholes
        )

    def _conversation(self, messages: Sequence[Message], tools: Tools | None) -> Encoded:
        """Marks what the template adds for each assistant turn after its generation prompt."""
        rendered = self._render(messages, tools)
        ids, where = self.tokenizer.encode_rendered(rendered)
        learn = np.zeros(len(ids), bool)
        offsets = np.asarray(where, np.int64).reshape(-1, 2)
        for index, message in enumerate(messages):
            if message.get("role") != "assistant":
                continue
            if index == 0:
                raise TrainingDataInvalid(
                    "a chat cannot begin with the assistant: there is nothing to answer"
                )
            # a template may show an earlier turn differently once others follow: what is equal counts
            start = _common(self._render(messages[:index], tools, generate=True).text, rendered.text)
            end = _common(self._render(messages[: index + 1], tools).text, rendered.text)
            learn |= (offsets[:, 0] >= start) & (offsets[:, 1] <= end) & (offsets[:, 1] > offsets[:, 0])
        learn[:1] = False
        return Encoded(np.asarray(ids, np.int32), learn)

    def _truncated(self, sequence: Encoded) -> Encoded:
        excess = len(sequence) - self.max_length
        if excess <= 0:
            return sequence
        first = int(np.argmax(sequence.learn))
        start = max(0, min(excess, first - 1))
        stop = start + self.max_length
        learn = sequence.learn[start:stop].copy()
        learn[:1] = False
        held = None if sequence.held is None else sequence.held[start:stop]
        return Encoded(sequence.tokens[start:stop], learn, held, sequence.teacher)

    def _open(self, sequence: Encoded) -> Encoded:
        """The sequence without the mark that its answer ends, and what a template adds after that."""
        marks = np.flatnonzero(sequence.learn & (sequence.tokens == self.tokenizer.token_id(self._eos)))
        stop = int(marks[-1]) if len(marks) else len(sequence)
        return Encoded(sequence.tokens[:stop], sequence.learn[:stop])

    def _closed(self, text: str) -> str:
        return text if text.endswith(self._eos) else text + self._eos

    def _ids(self, messages: Sequence[Message], tools: Tools | None, generate: bool = False) -> list[int]:
        return self.tokenizer.encode_rendered(self._render(messages, tools, generate))[0]

    def _render(self, messages: Sequence[Message], tools: Tools | None, generate: bool = False) -> Rendered:
        try:
            return self.tokenizer.render_chat(messages, tools=tools, add_generation_prompt=generate)
        except RequestInvalid as error:
            raise TrainingDataInvalid(error.message) from error


def _corrected(wanted: Encoded, said: Encoded) -> Encoded:
    """What a correction kept of the answer is held to the base model; what it changed is learned.

    The first token after a change was chosen anew, though it be the same.
    """
    ours, theirs = wanted.answer.tolist(), said.answer.tolist()
    held = np.zeros(len(wanted), bool)
    start, after = len(wanted) - len(ours), (0, 0)
    for block in SequenceMatcher(None, theirs, ours, autojunk=False).get_matching_blocks():
        changed = (block.a, block.b) != after
        held[start + block.b + changed : start + block.b + block.size] = True
        after = (block.a + block.size, block.b + block.size)
    return Encoded(wanted.tokens, wanted.learn, held)


def _distilled(student: Encoded, teacher: Encoded) -> Encoded:
    """Every token of the answer is held to what the base model says there after the teacher's prompt."""
    ours, theirs = student.answer, teacher.answer
    if not np.array_equal(ours[: len(theirs)], theirs):
        raise TrainingDataInvalid("the completion's tokens differ after the two prompts")
    # what of the answer the teacher's room did not hold, nobody teaches
    stop = len(student) - len(ours) + len(theirs)
    learn = student.learn[:stop]
    return Encoded(student.tokens[:stop], learn, learn, teacher.held_to_base)


def _common(left: Sequence[Any], right: Sequence[Any]) -> int:
    """Length of the beginning that both share."""
    for index, (ours, theirs) in enumerate(zip(left, right, strict=False)):
        if ours != theirs:
            return index
    return min(len(left), len(right))
