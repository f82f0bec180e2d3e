"""Habits: ten corrections of one habit each, learned by the recipe, judged by the gate and by checkers."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any
from uuid import NAMESPACE_URL, uuid5

import orjson
import typer

from liminal.bench.figures import Figure, Json, report
from liminal.bench.progress import progress_bar
from liminal.engine.bundled.habits import Habit, habits, prompts
from liminal.engine.bundled.questions import Question
from liminal.engine.training import TrainConfig, TrainingRun
from liminal.learning.evidence.dataset import compose
from liminal.learning.evidence.lessons import Lesson, Prompt
from liminal.learning.gate.judge import Report, judge
from liminal.learning.training import recipe
from liminal.learning.training.strength import with_strength
from liminal.learning.training.workbench import Workbench
from liminal.log.events import Figure as Measured
from liminal.settings import read_settings
from liminal.steering.learning_policy import Gate

ASKED = 24
"""Held-out prompts that are answered with and without the adapter."""
NAMES = ("short", "bullets", "formal", "imperial", "sign-off", "german-dates")


@dataclass(frozen=True)
class Learned:
    """What became of one habit."""

    name: str
    report: Report
    before: float
    after: float
    seconds: float
    scale: float


def habits_bench(
    corrections: Annotated[int, typer.Option(help="Corrections that each person gives.")] = 10,
    names: Annotated[str, typer.Option(help="Habits, with commas.")] = ",".join(NAMES),
    setting: Annotated[list[str] | None, typer.Option("--set", help="name=value of TrainConfig.")] = None,
    seed: int = 0,
    json: Json = False,
) -> None:
    """Learn habits of ten corrections each with the bundled model; no services are needed."""
    changes = dict(_setting(item) for item in setting or [])
    with progress_bar("learning") as bar:
        bench = Workbench.load(read_settings())
        found: list[Learned] = []
        chosen = names.split(",")
        for number, name in enumerate(chosen):
            bar(number, len(chosen))
            found.append(asyncio.run(_learn(bench, habits()[name], changes, corrections, seed)))
    report([figure for item in found for figure in _figures(item)], json)


def _setting(text: str) -> tuple[str, float | int | str]:
    name, _, value = text.partition("=")
    default = getattr(TrainConfig(), name)
    return name, value if isinstance(default, str) else orjson.loads(value)


async def _learn(
    bench: Workbench, habit: Habit, changes: Mapping[str, Any], corrections: int, seed: int
) -> Learned:
    asked = prompts(habit, "train", 4 * corrections, seed)
    said = await bench.decode([_chat(question) for question in asked])
    wrong = [(q, text) for q, text in zip(asked, said, strict=True) if not habit.checker(text)][:corrections]
    data = compose([_lesson(habit, place, q, text) for place, (q, text) in enumerate(wrong)])
    config = replace(recipe.settings_for(data), **{"seed": seed, **changes})
    began = time.monotonic()
    run = TrainingRun(bench.model, recipe.jobs(data, (await bench.general("train")).all), config)
    for _ in run:
        pass
    adapters = with_strength(
        bench.model,
        run.adapters,
        await bench.general("scale"),
        recipe.scales_of(recipe.as_hyperparameters(config)),
    )
    candidate = adapters[recipe.CANDIDATE]
    judged = judge(bench.model, adapters, None, data, (), await bench.general("held_out"), Gate(), seed)
    seconds = time.monotonic() - began
    held = [_chat(question) for question in prompts(habit, "held_out", ASKED, seed)]
    before = await bench.decode(held)
    after = await bench.decode(held, candidate)
    scale = candidate.alpha / config.alpha
    return Learned(habit.name, judged, _kept(habit, before), _kept(habit, after), seconds, scale)


def _lesson(habit: Habit, place: int, question: Question, said: str) -> Lesson:
    name = uuid5(NAMESPACE_URL, f"{habit.name} {place}")
    return Lesson(
        (name,), name, name, f"{place:06d}", "corrected", _chat(question), habit.correct(question), said
    )


def _chat(question: Question) -> Prompt:
    return [{"role": "user", "content": question.text}]


def _kept(habit: Habit, answers: Sequence[str]) -> float:
    return sum(map(habit.checker, answers)) / len(answers)


def _figures(item: Learned) -> list[Figure]:
    held_out, forgot, told, kept = item.report.figures
    return [
        Figure(name=f"{item.name}: habit kept", value=100 * item.after, unit="%").against(100 * item.before),
        Figure(name=f"{item.name}: held-out NLL", value=held_out.candidate, unit="nats").against(
            held_out.baseline
        ),
        Figure(name=f"{item.name}: interval's low end", value=held_out.low or 0.0, unit="nats").at_least(0),
        Figure(name=f"{item.name}: general likelihood lost", value=_lost(forgot), unit="%").at_most(2),
        Figure(name=f"{item.name}: told likelihood lost", value=_lost(told), unit="%").at_most(5),
        Figure(name=f"{item.name}: corrections kept", value=kept.candidate, unit="").against(kept.baseline),
        Figure(name=f"{item.name}: scale", value=item.scale, unit=""),
        Figure(name=f"{item.name}: train and judge", value=item.seconds, unit="s"),
    ]


def _lost(figure: Measured) -> float:
    """Percent of likelihood."""
    return 100 * (1 - math.exp(figure.baseline - figure.candidate))
