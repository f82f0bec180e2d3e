"""Training as a call of few arguments."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from liminal.engine.peft import Adapter, save_adapter
from liminal.engine.training.base import BaseModel
from liminal.engine.training.config import TrainConfig
from liminal.engine.training.examples import Example
from liminal.engine.training.lessons import Lesson
from liminal.engine.training.progress import Progress
from liminal.engine.training.run import TrainingRun

RECORD = "training.json"


def train(
    model: BaseModel | str | Path,
    examples: Sequence[Example],
    config: TrainConfig | None = None,
    folder: str | Path | None = None,
    *,
    start: Adapter | None = None,
    replay: Sequence[Example] = (),
    on_progress: Callable[[Progress], None] | None = None,
) -> Adapter:
    """An adapter of ``model`` (loaded, or a Hugging Face folder) that has learned the examples.

    folder: where the PEFT folder and, meanwhile, checkpoints go; calling again after a kill goes on from
    there. start: an adapter to continue; replay: answers that must not be forgotten.

    Raises TrainingDataInvalid, TrainingConfigInvalid, TrainingDiverged, CheckpointInvalid, and what loading a
    model raises.
    """
    base = model if isinstance(model, BaseModel) else BaseModel.load(model)
    run = TrainingRun(base, {"adapter": Lesson(examples, replay, start)}, config, folder)
    return _finished(run, on_progress, None if folder is None else {"adapter": Path(folder)})["adapter"]


def train_together(
    model: BaseModel | str | Path,
    lessons: Mapping[str, Lesson],
    config: TrainConfig | None = None,
    folder: str | Path | None = None,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> dict[str, Adapter]:
    """An adapter for each lesson, trained in the same batches; written to ``folder/<name>``.

    Each learns as it would alone: its own examples, gradient norm, schedule. Raises as train does.
    """
    base = model if isinstance(model, BaseModel) else BaseModel.load(model)
    run = TrainingRun(base, lessons, config, folder)
    places = None if folder is None else {name: Path(folder) / name for name in lessons}
    return _finished(run, on_progress, places)


def _finished(
    run: TrainingRun, on_progress: Callable[[Progress], None] | None, places: Mapping[str, Path] | None
) -> dict[str, Adapter]:
    last: Progress | None = None
    for last in run:
        if on_progress is not None:
            on_progress(last)
    for name, place in (places or {}).items():
        write_result(run, name, place, last)
    run.forget_checkpoint()
    return run.adapters


def write_result(run: TrainingRun, name: str, place: Path, last: Progress | None) -> None:
    """One adapter as a PEFT folder, beside it what it came from."""
    save_adapter(place, run.adapters[name], base_model=run.model.name)
    record = {
        "base": run.model.name,
        "base_identity": run.model.identity,
        "run_fingerprint": run.fingerprint,
        "content_hash": run.adapters[name].content_hash,
        "examples": len(run.lessons[name].examples),
        "replayed": len(run.lessons[name].replay),
        "steps": run.steps,
        "loss": None if last is None else last.losses.get(name),
        "settings": asdict(run.config),
    }
    (place / RECORD).write_text(json.dumps(record, indent=2) + "\n")


async def training_progress(run: TrainingRun) -> AsyncIterator[Progress]:
    """The run's steps as they happen, worked off the event loop's thread.

    Leaving the loop early stops the run after the step under way; its last checkpoint stays.
    """
    steps: Iterator[Progress] = iter(run)
    while (progress := await asyncio.to_thread(next, steps, None)) is not None:
        yield progress
