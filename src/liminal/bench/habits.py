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
from liminal.bench.schooling.habits import Habit, habits
from liminal.bench.schooling.prompted import Correction, prompted
from liminal.engine.training import TrainConfig, TrainingRun
from liminal.learning.evidence.dataset import DataSet, compose
from liminal.learning.evidence.lessons import Lesson, Prompt
from liminal.learning.gate.judge import Report, judge
from liminal.learning.training import recipe
from liminal.learning.training.strength import with_strength
from liminal.learning.training.workbench import Workbench
from liminal.log.events import Figure as Measured
from liminal.settings import read_settings
from liminal.steering.learning_policy import Gate

ASKED = 16
"""Held-out questions that are answered with and without the adapter."""
TOKENS = 256
"""Longest answer: a line at the end is not seen in one that is cut off."""
NAMES = ",".join(habits())


@dataclass(frozen=True)
class Learned:
    """What became of one habit.

    Attributes:
        before, after: share of held-out answers that have it, of those to which it can apply.
        prompted: the same of the base model with rule and corrections in its prompt.
        trained, judged: seconds. tokens: run forward and backward.
        scale: how strongly the adapter speaks.
    """

    name: str
    report: Report
    before: float
    after: float
    prompted: float
    trained: float
    judged: float
    tokens: int
    scale: float


def habits_bench(
    corrections: Annotated[int, typer.Option(help="Corrections that each person gives.")] = 10,
    names: Annotated[str, typer.Option(help="Habits, with commas.")] = NAMES,
    setting: Annotated[list[str] | None, typer.Option("--set", help="name=value of TrainConfig.")] = None,
    held_out: Annotated[int, typer.Option(help="Questions that each is judged by.")] = ASKED,
    seed: int = 0,
    json: Json = False,
) -> None:
    """Learn habits of ten corrections each with the model of the settings; no services are needed."""
    changes = dict(_setting(item) for item in setting or [])
    chosen = names.split(",")
    with progress_bar("learning") as bar:
        found = asyncio.run(_learn_all(chosen, changes, corrections, held_out, seed, bar))
    report([figure for item in found for figure in _figures(item)] + _together(found), json)


def _setting(text: str) -> tuple[str, float | int | str]:
    name, _, value = text.partition("=")
    default = getattr(TrainConfig(), name)
    return name, value if isinstance(default, str) else orjson.loads(value)


async def _learn_all(
    chosen: Sequence[str], changes: Mapping[str, Any], corrections: int, held_out: int, seed: int, bar: Any
) -> list[Learned]:
    bench = await asyncio.to_thread(Workbench.load, read_settings())
    found: list[Learned] = []
    try:
        for number, name in enumerate(chosen):
            bar(number, len(chosen))
            found.append(await _learn(bench, habits()[name], changes, corrections, held_out, seed))
    finally:
        await bench.aclose()
    return found


async def _learn(
    bench: Workbench, habit: Habit, changes: Mapping[str, Any], corrections: int, held_out: int, seed: int
) -> Learned:
    wrong = await _wrong(bench, habit, habit.asked("taught", seed), corrections)
    data = compose([_lesson(habit, place, q, text) for place, (q, text) in enumerate(wrong)])
    config = replace(recipe.settings_for(data), **{"seed": seed, **changes})
    held = await _wrong(bench, habit, habit.asked("held out"), held_out)
    began = time.monotonic()
    adapters, tokens = await _train(bench, data, config)
    trained = time.monotonic()
    candidate = adapters[recipe.CANDIDATE]
    judged = judge(bench.model, adapters, None, data, (), await bench.general("held_out"), Gate(), seed)
    ended = time.monotonic()
    after = await bench.decode([_chat(question) for question, _ in held], candidate, longest=TOKENS)
    return Learned(
        habit.name,
        judged,
        before=_kept(habit, [text for _, text in held]),
        after=_kept(habit, after),
        prompted=_kept(habit, await _from_prompts(bench, habit, wrong, held)),
        trained=trained - began,
        judged=ended - trained,
        tokens=tokens,
        scale=candidate.alpha / config.alpha,
    )


async def _from_prompts(
    bench: Workbench, habit: Habit, wrong: Sequence[tuple[str, str]], held: Sequence[tuple[str, str]]
) -> list[str]:
    shown = [Correction(question, habit.correct(said)) for question, said in wrong]
    prompts = await prompted(habit, shown, [question for question, _ in held], read_settings().cache)
    return await bench.decode(prompts, longest=TOKENS)


async def _wrong(bench: Workbench, habit: Habit, asked: Sequence[str], count: int) -> list[tuple[str, str]]:
    """The first questions whose answers could have the habit, with the base model's answers."""
    found: list[tuple[str, str]] = []
    while asked and len(found) < count:
        some, asked = asked[: count - len(found)], asked[count - len(found) :]
        answers = await bench.decode([_chat(question) for question in some], longest=TOKENS)
        found += [(q, text) for q, text in zip(some, answers, strict=True) if habit.applies(text)]
    return found


async def _train(bench: Workbench, data: DataSet, config: TrainConfig) -> tuple[dict[str, Any], int]:
    """(The run's adapters as strong as they may be, tokens)."""
    jobs = recipe.jobs(data, (await bench.general("train")).all)
    scale = await bench.general("scale")
    run, tokens = TrainingRun(bench.model, jobs, config), 0
    for step in run:
        tokens = step.tokens
    scales = recipe.scales_of(recipe.as_hyperparameters(config))
    return with_strength(bench.model, run.adapters, scale, scales), tokens


def _lesson(habit: Habit, place: int, question: str, said: str) -> Lesson:
    name = uuid5(NAMESPACE_URL, f"{habit.name} {place}")
    return Lesson(
        (name,), name, name, f"{place:06d}", "corrected", _chat(question), habit.correct(said), said
    )


def _chat(question: str) -> Prompt:
    return [{"role": "user", "content": question}]


def _kept(habit: Habit, answers: Sequence[str]) -> float:
    return sum(map(habit.has, answers)) / len(answers)


def _figures(item: Learned) -> list[Figure]:
    held_out, forgot, told, kept = item.report.figures
    told_it = f"{item.name}: with rule and corrections in the prompt"
    return [
        Figure(name=f"{item.name}: habit kept", value=100 * item.after, unit="%").against(100 * item.before),
        Figure(name=told_it, value=100 * item.prompted, unit="%"),
        Figure(name=f"{item.name}: held-out NLL", value=held_out.candidate, unit="nats").against(
            held_out.baseline
        ),
        Figure(name=f"{item.name}: interval's low end", value=held_out.low or 0.0, unit="nats").at_least(0),
        Figure(name=f"{item.name}: one form lost", value=_lost(forgot), unit="%").at_most(
            100 * Gate().general_budget
        ),
        Figure(name=f"{item.name}: told lost", value=_lost(told), unit="%").at_most(100 * Gate().told_budget),
        Figure(name=f"{item.name}: corrections kept", value=kept.candidate, unit="").against(kept.baseline),
        Figure(name=f"{item.name}: scale", value=item.scale, unit=""),
        Figure(name=f"{item.name}: train", value=item.trained, unit="s"),
        Figure(name=f"{item.name}: judge", value=item.judged, unit="s"),
        Figure(name=f"{item.name}: tokens trained", value=item.tokens, unit=""),
    ]


def _together(found: Sequence[Learned]) -> list[Figure]:
    after = 100 * sum(item.after for item in found) / len(found)
    before = 100 * sum(item.before for item in found) / len(found)
    prompted = 100 * sum(item.prompted for item in found) / len(found)
    return [
        Figure(name="all: habit kept", value=after, unit="%").against(before).at_least(70),
        Figure(name="all: with rule and corrections in the prompt", value=prompted, unit="%"),
    ]


def _lost(figure: Measured) -> float:
    """Percent of likelihood."""
    return 100 * (1 - math.exp(figure.baseline - figure.candidate))
