"""Learning: from the last correction to a promoted adapter, and what turns pay for it meanwhile."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from statistics import median
from typing import Annotated

import typer

from liminal.bench.figures import Figure, Json, report
from liminal.bench.ground import services
from liminal.bench.progress import progress_bar
from liminal.bench.school import Answer, Pupil, School, ask_all, kept, school
from liminal.bench.schooling.habits import Habit, habits
from liminal.settings import Settings

HELD_OUT = 12
QUESTION = "What is a kettle?"
WARM = 8
"""Turns until what is compiled, cached and optimised ahead is so."""
PAUSE = 0.5
"""Seconds that somebody who chats reads an answer before the next question."""
SETTLED = 0.05
"""Seconds that nothing is learned before a turn is measured without."""


def learn(
    corrections: Annotated[int, typer.Option(help="Corrections that each person gives.")] = 10,
    habit: Annotated[str, typer.Option(help="Their habit.")] = "closing",
    people: Annotated[
        int, typer.Option(help="Persons, one after another; the first meets no compiled program.")
    ] = 2,
    json: Json = False,
) -> None:
    """Correct answers of the base model over HTTP until an adapter serves, beside somebody who chats."""
    with services() as settings:
        report(asyncio.run(_measure(settings, corrections, habits()[habit], people)), json)


async def _measure(settings: Settings, corrections: int, habit: Habit, people: int) -> list[Figure]:
    found: list[Figure] = []
    seen = Beside()
    async with school(settings) as town:
        talker = await town.pupil()
        for _ in range(WARM):
            await talker.ask(QUESTION)
        with progress_bar("learning") as bar:
            for number in range(people):
                bar(number, people)
                found += await _person(town, talker, habit, corrections, number, seen)
    return [*found, *seen.figures()]


@dataclass
class Beside:
    """Seconds that each turn took while something was learned, and while that stood still.

    In turns, seconds apart: a machine of somebody else's is twice as fast in one minute as in the next.
    """

    learning: list[float] = field(default_factory=list[float])
    still: list[float] = field(default_factory=list[float])

    async def watch(self, town: School, talker: Pupil) -> None:
        """Measure until cancelled."""
        while True:
            self.learning.append((await talker.ask(QUESTION)).seconds)
            await asyncio.sleep(PAUSE)
            with town.nothing_learns():
                await asyncio.sleep(SETTLED)
                self.still.append((await talker.ask(QUESTION)).seconds)
            await asyncio.sleep(PAUSE)

    def figures(self) -> list[Figure]:
        """What turns paid."""
        if not self.still:
            return []
        beside, alone = 1000 * median(self.learning), 1000 * median(self.still)
        turn = Figure(name="somebody else's turn meanwhile", value=beside, unit="ms").against(alone)
        return [turn, Figure(name="turns slowed", value=100 * (beside / alone - 1), unit="%").at_most(25)]


async def _person(
    town: School, talker: Pupil, habit: Habit, corrections: int, number: int, seen: Beside
) -> list[Figure]:
    pupil = await town.pupil(number)
    answers = await _wrong(pupil, habit, corrections, number)
    beside = asyncio.create_task(seen.watch(town, talker))
    began = time.monotonic()
    for answer in answers:
        await pupil.correct(answer, habit.correct(answer.text))
    given = time.monotonic()
    served: float | None = None
    while served is None:
        persona = await pupil.persona()
        if persona is not None and persona["serving_version"] is not None:
            served = time.monotonic() - given
        elif persona is not None and time.monotonic() - began > 3600:
            break
        await asyncio.sleep(0.1)
    beside.cancel()
    await asyncio.gather(beside, return_exceptions=True)
    await pupil.settled()
    held = habit.asked("held out", number)[:HELD_OUT]
    after = await ask_all(pupil, held)
    before = await ask_all(pupil, held, without_learning=True)
    name = f"person {number + 1}"
    seconds = served or float("nan")
    taken = Figure(name=f"{name}: correction to promoted", value=seconds, unit="s").at_most(180)
    better = Figure(name=f"{name}: habit kept", value=100 * kept(habit, after), unit="%")
    return [taken, better.against(100 * kept(habit, before))]


async def _wrong(pupil: Pupil, habit: Habit, count: int, seed: int) -> list[Answer]:
    """Answers that could have the habit and do not."""
    found: list[Answer] = []
    for question in habit.asked("taught", seed):
        answer = await pupil.ask(question)
        if habit.applies(answer.text) and not habit.has(answer.text):
            found.append(answer)
        if len(found) == count:
            break
    return found
