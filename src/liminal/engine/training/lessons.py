"""From the examples that are given to the items that are planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from liminal.engine.peft import Adapter
from liminal.engine.training.config import HANDFUL, TrainConfig
from liminal.engine.training.encoding import Encoded, Encoder, joined
from liminal.engine.training.errors import TrainingConfigInvalid, TrainingDataInvalid
from liminal.engine.training.examples import Distillation, Example, Judgement, Preference
from liminal.engine.training.plan import Item, Kind


@dataclass(frozen=True)
class Lesson:
    """What one adapter is to learn.

    Attributes:
      examples: of any kinds; each kind has its loss, weighed by its share of a step.
      replay: answers that must not be forgotten (completions, conversations or documents).
      start: the adapter to continue; None begins anew. Its rank and α stay.
      times: how often a pass shows each example; None shows each once.
    """

    examples: Sequence[Example]
    replay: Sequence[Example] = ()
    start: Adapter | None = None
    times: Sequence[int] | None = None

    @property
    def places(self) -> tuple[int, ...]:
        """The examples of a pass, by index. Raises TrainingConfigInvalid for times that fit them not."""
        if self.times is None:
            return tuple(range(len(self.examples)))
        if len(self.times) != len(self.examples) or min(self.times) < 0 or not any(self.times):
            raise TrainingConfigInvalid("give every example a number of times, and one at least some")
        return tuple(index for index, times in enumerate(self.times) for _ in range(times))


def lesson_items(
    lesson: Lesson, job: int, encoder: Encoder, config: TrainConfig
) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """(items, replayed items) of a lesson.

    Raises TrainingDataInvalid naming the example that cannot be learned, TrainingConfigInvalid for a replay
    of preferences.
    """
    if not lesson.examples:
        raise TrainingDataInvalid("there are no examples to learn from")
    if any(isinstance(example, Preference | Judgement | Distillation) for example in lesson.replay):
        raise TrainingConfigInvalid("only answers can be replayed, not preferences, thumbs or distillations")
    items = [_item(example, number, job, encoder) for number, example in enumerate(lesson.examples, 1)]
    thumbs = sum(item.kind is Kind.JUDGEMENT for item in items)
    if config.unpaired == "kto" or (config.unpaired == "auto" and thumbs >= HANDFUL):
        items = _with_mismatches(items, encoder.max_length)
    replay = [_item(example, number, job, encoder) for number, example in enumerate(lesson.replay, 1)]
    if config.replay_to == "base":
        replay = [replace(item, sequences=(item.taught.held_to_base,)) for item in replay]
    if config.kl_weight and any(len(item.taught.kept) for item in (*items, *replay)):
        raise TrainingConfigInvalid("what is held to the base is held already: kl_weight must be 0")
    return tuple(items), tuple(replace(item, replayed=True) for item in replay)


def _item(example: Example, number: int, job: int, encoder: Encoder) -> Item:
    try:
        sequences = encoder.encode(example)
    except TrainingDataInvalid as error:
        raise TrainingDataInvalid(f"example {number}: {error.message}", example=number) from error
    match example:
        case Preference():
            return Item(job, Kind.PAIR, sequences)
        case Judgement(label=label):
            return Item(job, Kind.JUDGEMENT, sequences, sign=1.0 if label else -1.0)
        case _:
            return Item(job, Kind.ANSWER, sequences)


def _with_mismatches(items: Sequence[Item], longest: int) -> list[Item]:
    """Each judged prompt with the judged answer before it, on which KTO estimates its KL (§4.1)."""
    judged = [item.taught for item in items if item.kind is Kind.JUDGEMENT]
    if len(judged) < 2:
        raise TrainingConfigInvalid(
            "KTO needs at least two thumbs; use unpaired='apo_zero'", field="unpaired"
        )
    mismatches = iter(_mismatch(own, judged[index - 1], longest) for index, own in enumerate(judged))
    return [
        replace(item, mismatch=next(mismatches)) if item.kind is Kind.JUDGEMENT else item for item in items
    ]


def _mismatch(own: Encoded, other: Encoded, longest: int) -> Encoded:
    room = max(longest - len(own.context), 1)
    return joined(own.context, other.answer[:room])
