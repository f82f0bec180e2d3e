"""The simulator: people with habits teach the base model through the public API, judged by checkers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

import typer

from liminal.bench.figures import Figure, Json, report
from liminal.bench.ground import services
from liminal.bench.plot import bars
from liminal.bench.progress import progress_bar
from liminal.bench.school import TOKENS, Answer, Pupil, ask_all, kept, school
from liminal.bench.schooling.habits import Habit, habits
from liminal.bench.schooling.prompted import Correction, prompted
from liminal.bench.schooling.questions import questions
from liminal.learning.training.workbench import Workbench
from liminal.settings import Settings

HABITS = tuple(habits())
"""Length, layout, tone, units, a line at the end, the language of dates."""
TURNED = {"short": "bullets", "bullets": "short"}
"""What a person wants who changes their mind."""
WRONG = 0.1
"""Share of feedback that says the opposite of what its giver wants."""
KEPT = ": habit kept"
FOLLOWED = 30
"""Corrections within which a habit that turned round is to be followed."""


@dataclass
class Life:
    """One person and all that was measured of them."""

    habit: Habit
    pupil: Pupil
    corrections: list[Correction] = field(default_factory=list[Correction])
    before: list[Answer] = field(default_factory=list[Answer])
    after: list[Answer] = field(default_factory=list[Answer])
    shown: list[str] = field(default_factory=list[str])
    persona: dict[str, Any] | None = None

    @property
    def wins(self) -> float:
        """Share of held-out questions whose answer has the habit, of those where the base's has it not."""
        pairs = zip(self.before, self.after, strict=True)
        lost = [new for old, new in pairs if not self.habit.has(old.text)]
        return kept(self.habit, lost) if lost else 1.0

    @property
    def beats_prompt(self) -> float:
        """Share of held-out questions won against the prompt that says it all; a tie is half."""
        pairs = zip(self.after, self.shown, strict=True)
        scores = [0.5 + (self.habit.has(ours.text) - self.habit.has(theirs)) / 2 for ours, theirs in pairs]
        return mean(scores) if scores else 0.5


def people(
    turns: Annotated[int, typer.Option(help="Turns of each person.")] = 150,
    names: Annotated[str, typer.Option(help="Their habits, with commas.")] = ",".join(HABITS),
    held_out: Annotated[int, typer.Option(help="Questions that each is judged by.")] = 30,
    turn_round: Annotated[bool, typer.Option(help="Let the first change their mind at the end.")] = True,
    seed: int = 0,
    plot: Annotated[Path | None, typer.Option(help="Draw what became of the habits into this SVG.")] = None,
    json: Json = False,
) -> None:
    """People with distinct habits chat, judge (one time in ten wrongly), and get adapters of their own."""
    with services() as settings:
        chosen = [habits()[name] for name in names.split(",")]
        figures = asyncio.run(_measure(settings, chosen, turns, held_out, turn_round, seed))
    if plot is not None:
        plot.write_text(_drawn(figures))
    report(figures, json)


def _drawn(figures: Sequence[Figure]) -> str:
    kept = [figure for figure in figures if figure.name.endswith(KEPT)]
    rows = [(f.name.removesuffix(KEPT), f.baseline or 0.0, f.value) for f in kept]
    return bars("Held-out answers that have the habit", ("the base model", "what was learned"), rows)


async def _measure(
    settings: Settings, chosen: Sequence[Habit], turns: int, held_out: int, turn_round: bool, seed: int
) -> list[Figure]:
    async with school(settings) as town:
        lives = [Life(habit, await town.pupil(seed + number)) for number, habit in enumerate(chosen)]
        with progress_bar("living") as bar:
            done = 0

            def told() -> None:
                nonlocal done
                done += 1
                bar(done, turns * len(lives))

            await asyncio.gather(*(_live(life, turns, seed, told) for life in lives))
        for life in lives:
            life.persona = await life.pupil.settled()
            life.before = await ask_all(life.pupil, life.habit.asked("held out"), without_learning=True)
            # only where the habit can apply is there anything to win
            life.before = [one for one in life.before if life.habit.applies(one.text)][:held_out]
            life.after = await ask_all(life.pupil, [one.question for one in life.before])
        await _answer_from_prompts(settings, lives)
        figures = [figure for life in lives for figure in _figures(life, lives)]
        figures.append(
            Figure(
                name="all: held-out questions won", value=100 * mean(x.wins for x in lives), unit="%"
            ).at_least(70)
        )
        beaten = 100 * mean(life.beats_prompt for life in lives)
        name = "all: held-out questions won against rule and corrections in the prompt, ties halved"
        figures.append(Figure(name=name, value=beaten, unit="%").at_least(60))
        if turn_round:
            figures.append(await _turn_round(lives[0], seed))
        return figures


async def _answer_from_prompts(settings: Settings, lives: Sequence[Life]) -> None:
    """The same questions answered by the base model alone, told the rule and shown the corrections."""
    bench = await asyncio.to_thread(Workbench.load, settings)
    try:
        for life in lives:
            asked = [one.question for one in life.before]
            if life.corrections and asked:
                prompts = await prompted(life.habit, life.corrections, asked, settings.cache)
                life.shown = await bench.decode(prompts, longest=TOKENS)
            else:
                life.shown = [one.text for one in life.before]
    finally:
        await bench.aclose()


def _asked(habit: Habit, turns: int, seed: int) -> list[str]:
    """What somebody asks: to half of it, or all, the habit can apply; who has asked it all begins anew."""
    own, others = habit.asked("taught", seed), questions("general", "taught", seed + 1)
    pairs = zip(own, others, strict=False)
    mixed = own if habit.topic == "general" else [one for pair in pairs for one in pair]
    return list(islice(cycle(mixed), turns))


async def _live(life: Life, turns: int, seed: int, told: Callable[[], None]) -> None:
    for question in _asked(life.habit, turns, seed):
        answer = await life.pupil.ask(question)
        wanted = await _judge(life.pupil, life.habit, answer)
        if wanted is not None:
            life.corrections.append(Correction(question, wanted))
        told()


async def _judge(pupil: Pupil, habit: Habit, answer: Answer) -> str | None:
    """What somebody says about an answer; the correction where they write one."""
    has, wrong = habit.has(answer.text), pupil.dice.random() < WRONG
    if wrong:
        await pupil.thumb(answer, -1 if has else 1)
        return None
    if has or not habit.applies(answer.text):
        if has and pupil.dice.random() < 0.3:
            await pupil.thumb(answer, 1)
        return None
    wanted = habit.correct(answer.text)
    await pupil.correct(answer, wanted)
    return wanted


def _figures(life: Life, lives: Sequence[Life]) -> list[Figure]:
    name = life.habit.name
    versions = life.persona["versions"] if life.persona else []
    serving = next((version for version in versions if version["serving"]), None)
    figures = [
        Figure(name=f"{name}{KEPT}", value=100 * kept(life.habit, life.after), unit="%").against(
            100 * kept(life.habit, life.before)
        ),
        Figure(name=f"{name}: questions won", value=100 * life.wins, unit="%"),
        Figure(name=f"{name}: won against the prompt, ties halved", value=100 * life.beats_prompt, unit="%"),
        Figure(name=f"{name}: corrections", value=len(life.corrections), unit=""),
        Figure(name=f"{name}: versions", value=len(versions), unit=""),
    ]
    if serving is not None:
        general = next(item for item in serving["figures"] if item["name"] == "general_nll")
        lost = 100 * (1 - math.exp(general["baseline"] - general["candidate"]))
        figures.append(Figure(name=f"{name}: general likelihood lost", value=lost, unit="%").at_most(2))
    foreign = {use["adapter_id"] for answer in life.after for use in answer.adapters}
    own = {life.persona["id"]} if life.persona else set[str]()
    figures.append(Figure(name=f"{name}: adapters of others", value=len(foreign - own), unit="").at_most(0))
    others = [other.habit for other in lives if other is not life]
    more = [kept(other, life.after) - kept(other, life.before) for other in others]
    if more:
        figures.append(Figure(name=f"{name}: most of another's habit", value=100 * max(more), unit="%"))
    return figures


async def _turn_round(life: Life, seed: int) -> Figure:
    """How many corrections somebody gives who wants the opposite, until three answers in a row have it."""
    habit = habits()[TURNED[life.habit.name]]
    row = given = 0
    for question in _asked(habit, 4 * FOLLOWED, seed + 1):
        answer = await life.pupil.ask(question)
        if habit.has(answer.text):
            row += 1
            if row == 3:
                break
            continue
        row = 0
        await life.pupil.correct(answer, habit.correct(answer.text))
        given += 1
        await life.pupil.settled()
    name = f"from {life.habit.name} to {habit.name}: corrections until followed"
    return Figure(name=name, value=given if row == 3 else float("inf"), unit="").at_most(FOLLOWED)
