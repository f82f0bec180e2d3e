"""How a data set becomes adapters: settings, what is trained beside what, and their form on the log."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from liminal.engine.training import Completion, Lesson, TrainConfig
from liminal.learning.evidence.dataset import FOLDS, DataSet

CANDIDATE = "all"
"""The adapter that learns every lesson and may serve."""

MICRO_TOKENS = 2048
"""Tokens of one forward pass: what 4096 need leaves the processor's caches; a step takes a fifth longer."""
CONFIG = TrainConfig(
    rank=8,
    alpha=16.0,
    layers=10,
    learning_rate=2e-3,
    schedule="cosine",
    batch_size=10,
    micro_tokens=MICRO_TOKENS,
    replay_ratio=0.8,
    replay_weight=4.0,
    replay_to="base",
    keep_weight=2.0,
    beta=0.1,
    reference="base",
    max_length=512,
    checkpoint_every=10,
)
"""What is the same for every run; ``settings_for`` sets its length."""
STEPS = 12
"""Optimizer steps of a run, whatever it learns from: few lessons are seen more often."""
HALF_LIFE = 20
"""Lessons after which one is shown half as often: what somebody wants now, above what they wanted before."""
SCALES = (0.5, 1.0, 1.8)
"""How strongly what was trained may speak; see ``liminal.learning.training.strength``."""


def settings_for(data: DataSet) -> TrainConfig:
    """The settings of a run over these lessons: one pass, which shows the newest of them most often."""
    batch_size = min(CONFIG.batch_size, len(data.lessons))
    return dataclasses.replace(CONFIG, epochs=1, max_steps=STEPS, batch_size=batch_size)


def times_of(data: DataSet, kept: Sequence[bool], steps: int) -> list[int]:
    """How often each of the lessons that are kept is shown, by its recency; their sum fills the steps."""
    weights = [weight for weight, chosen in zip(data.recency(HALF_LIFE), kept, strict=True) if chosen]
    places = steps * settings_for(data).batch_size
    exact = [places * weight / sum(weights) for weight in weights]
    times = [math.floor(value) for value in exact]
    # largest remainders; of equal ones the newest
    order = sorted(range(len(exact)), key=lambda index: (exact[index] - times[index], index), reverse=True)
    for index in order[: places - sum(times)]:
        times[index] += 1
    return times


def fold_name(fold: int) -> str:
    """The adapter that learns all lessons but those of one fold."""
    return f"fold{fold}"


def jobs(data: DataSet, replay: Sequence[Completion]) -> dict[str, Lesson]:
    """What is trained in the same batches: the candidate, and an adapter for each fold that lacks it.

    Those that judge learn half of the lessons in half of the steps, so both together
    cost what the candidate does. A fold whose removal would leave nothing to say is not trained: its lessons
    are not judged.
    """
    folds = data.folds()
    found = {CANDIDATE: _learned(data, [True] * len(folds), replay, STEPS)}
    for fold in range(FOLDS):
        kept = [own != fold for own in folds]
        says = [lesson.wanted is not None for lesson in data.lessons]
        if not all(kept) and any(map(min, kept, says)):
            found[fold_name(fold)] = _learned(data, kept, replay, STEPS // FOLDS)
    return found


def _learned(data: DataSet, kept: Sequence[bool], replay: Sequence[Completion], steps: int) -> Lesson:
    examples = [lesson.example for lesson, chosen in zip(data.lessons, kept, strict=True) if chosen]
    return Lesson(examples, replay, times=times_of(data, kept, steps))


def as_hyperparameters(config: TrainConfig) -> dict[str, Any]:
    """The settings as an event holds them, and the scales to choose among."""
    found = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in dataclasses.asdict(config).items()
        if value is not None
    }
    return {**found, "scales": list(SCALES)}


def scales_of(stored: Mapping[str, Any]) -> tuple[float, ...]:
    """The scales of an event; a run of before there were any speaks as it was trained."""
    return tuple(stored.get("scales", (1.0,)))


def from_hyperparameters(stored: Mapping[str, Any]) -> TrainConfig:
    """The settings of an event. Raises TrainingConfigInvalid."""
    known = {item.name for item in dataclasses.fields(TrainConfig)}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in stored.items()
        if name in known
    }
    return TrainConfig(**values)
