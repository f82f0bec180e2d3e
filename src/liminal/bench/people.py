"""The simulator: people with habits teach the bundled model through the public API, judged by checkers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

import typer

from liminal.bench.figures import Figure, Json, report
from liminal.bench.ground import services
from liminal.bench.plot import bars
from liminal.bench.progress import progress_bar
from liminal.bench.school import Answer, Pupil, ask_all, kept, school
from liminal.engine.bundled.habits import Habit, habits, prompts
from liminal.engine.bundled.questions import Question
from liminal.settings import Settings

HABITS = ("short", "bullets", "formal", "imperial", "sign-off", "german-dates")
"""Length, layout, tone, units, a line at the end, the language of dates."""
TURNED = {"short": "long", "long": "short"}
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
    corrections: int = 0
    before: list[Answer] = field(default_factory=list[Answer])
    after: list[Answer] = field(default_factory=list[Answer])
    persona: dict[str, Any] | None = None

    @property
    def wins(self) -> float:
        """Share of held-out questions whose answer has the habit, of those where the base's has it not."""
        pairs = zip(self.before, self.after, strict=True)
        lost = [new for old, new in pairs if not self.habit.checker(old.text)]
        return kept(self.habit, lost) if lost else 1.0


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
            asked = prompts(life.habit, "held_out", held_out, seed)
            life.after = await ask_all(life.pupil, asked)
            life.before = await ask_all(life.pupil, asked, without_learning=True)
        figures = [figure for life in lives for figure in _figures(life, lives)]
        figures.append(
            Figure(
                name="all: held-out questions won", value=100 * mean(x.wins for x in lives), unit="%"
            ).at_least(70)
        )
        if turn_round:
            figures.append(await _turn_round(lives[0], seed))
        return figures


async def _live(life: Life, turns: int, seed: int, told: Callable[[], None]) -> None:
    for question in prompts(life.habit, "train", turns, seed):
        answer = await life.pupil.ask(question.text)
        life.corrections += await _judge(life.pupil, life.habit, question, answer)
        told()


async def _judge(pupil: Pupil, habit: Habit, question: Question, answer: Answer) -> bool:
    """What somebody says about an answer; True for a correction that says what they want."""
    has, wrong = habit.checker(answer.text), pupil.dice.random() < WRONG
    if wrong:
        await pupil.thumb(answer, -1 if has else 1)
        return False
    if has:
        if pupil.dice.random() < 0.3:
            await pupil.thumb(answer, 1)
        return False
    await pupil.correct(answer, habit.correct(question))
    return True


def _figures(life: Life, lives: Sequence[Life]) -> list[Figure]:
    name = life.habit.name
    versions = life.persona["versions"] if life.persona else []
    serving = next((version for version in versions if version["serving"]), None)
    figures = [
        Figure(name=f"{name}{KEPT}", value=100 * kept(life.habit, life.after), unit="%").against(
            100 * kept(life.habit, life.before)
        ),
        Figure(name=f"{name}: questions won", value=100 * life.wins, unit="%"),
        Figure(name=f"{name}: corrections", value=life.corrections, unit=""),
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
    for question in prompts(habit, "train", 4 * FOLLOWED, seed + 1):
        answer = await life.pupil.ask(question.text)
        if habit.checker(answer.text):
            row += 1
            if row == 3:
                break
            continue
        row = 0
        await life.pupil.correct(answer, habit.correct(question))
        given += 1
        await life.pupil.settled()
    name = f"from {life.habit.name} to {habit.name}: corrections until followed"
    return Figure(name=name, value=given if row == 3 else float("inf"), unit="").at_most(FOLLOWED)
