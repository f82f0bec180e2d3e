"""Learning: from the last correction to a promoted adapter, and what turns pay for it meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Generator
from statistics import median
from typing import Annotated

import typer

from liminal.bench.figures import Figure, Json, report
from liminal.bench.ground import services
from liminal.bench.progress import progress_bar
from liminal.bench.school import Answer, Pupil, School, kept, school
from liminal.engine.bundled.habits import Habit, habits, prompts
from liminal.settings import Settings

HELD_OUT = 12
PAUSE = 1.0
"""Seconds that somebody who chats reads an answer before the next question."""


def learn(
    corrections: Annotated[int, typer.Option(help="Corrections that each person gives.")] = 10,
    habit: Annotated[str, typer.Option(help="Their habit.")] = "sign-off",
    people: Annotated[
        int, typer.Option(help="Persons, one after another; the first meets no compiled program.")
    ] = 2,
    turns: Annotated[int, typer.Option(help="Turns of somebody else that are timed alone.")] = 20,
    json: Json = False,
) -> None:
    """Correct answers of the bundled model over HTTP until an adapter serves, beside somebody who chats."""
    with services() as settings:
        report(asyncio.run(_measure(settings, corrections, habits()[habit], people, turns)), json)


async def _measure(
    settings: Settings, corrections: int, habit: Habit, people: int, turns: int
) -> list[Figure]:
    found: list[Figure] = []
    async with school(settings) as town:
        talker = await town.pupil()
        await _turns(talker, 20)  # what is compiled and cached is so after these
        alone = await _turns(talker, turns, PAUSE)
        with _a_busy_core():
            busy = await _turns(talker, turns, PAUSE)
        with progress_bar("learning") as bar:
            for number in range(people):
                bar(number, people)
                found += await _person(town, talker, habit, corrections, number, alone)
    return [*found, _beside_a_loop(alone, busy)]


def _beside_a_loop(alone: list[float], busy: list[float]) -> Figure:
    """What turns pay for a core that is not idle, whatever it does: two of a machine may be halves of one."""
    slow = Figure(name="somebody's turn beside an empty loop", value=1000 * median(busy), unit="ms")
    return slow.against(1000 * median(alone))


@contextlib.contextmanager
def _a_busy_core() -> Generator[None]:
    """A process of the lowest priority that counts."""
    loop = subprocess.Popen([sys.executable, "-c", "import os; os.nice(19)\nwhile True: pass"])
    try:
        yield
    finally:
        loop.kill()
        loop.wait()


async def _person(
    town: School, talker: Pupil, habit: Habit, corrections: int, number: int, alone: list[float]
) -> list[Figure]:
    pupil = await town.pupil(number)
    asked = prompts(habit, "train", corrections, number)
    answers = [(question, await pupil.ask(question.text)) for question in asked]
    beside = asyncio.create_task(_until_cancelled(talker))
    began = time.monotonic()
    for question, answer in answers:
        await pupil.correct(answer, habit.correct(question))
    given = time.monotonic()
    served: float | None = None
    while served is None:
        persona = await pupil.persona()
        if persona is not None and persona["serving_version"] is not None:
            served = time.monotonic() - given
        elif persona is not None and time.monotonic() - began > 600:
            break
        await asyncio.sleep(0.1)
    beside.cancel()
    meanwhile = (await asyncio.gather(beside, return_exceptions=True))[0]
    await pupil.settled()
    held = prompts(habit, "held_out", HELD_OUT, number)
    after: list[Answer] = [await pupil.ask(question.text) for question in held]
    before: list[Answer] = [await pupil.ask(question.text, without_learning=True) for question in held]
    name = f"person {number + 1}"
    taken = Figure(name=f"{name}: correction to promoted", value=served or float("nan"), unit="s").at_most(60)
    figures = [
        taken,
        Figure(name=f"{name}: habit kept", value=100 * kept(habit, after), unit="%").against(
            100 * kept(habit, before)
        ),
    ]
    if isinstance(meanwhile, list) and meanwhile:
        slow = Figure(name=f"{name}: somebody else's turn", value=1000 * median(meanwhile), unit="ms")
        figures.append(slow.against(1000 * median(alone)))
    return figures


async def _turns(talker: Pupil, count: int, pause: float = 0.0) -> list[float]:
    found: list[float] = []
    for _ in range(count):
        found.append((await talker.ask("What is a kettle?")).seconds)
        await asyncio.sleep(pause)
    return found


async def _until_cancelled(talker: Pupil) -> list[float]:
    found: list[float] = []
    try:
        while True:
            found += await _turns(talker, 1, PAUSE)
    except asyncio.CancelledError:
        return found
