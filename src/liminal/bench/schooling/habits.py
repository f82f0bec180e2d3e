"""Six habits that people may want in answers: what tells each, and how a person corrects for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from liminal.bench.schooling.questions import Split, Topic, questions
from liminal.bench.schooling.text import (
    english_dates,
    german_dates,
    imperial_quantities,
    is_whole,
    metric_quantities,
    sentences,
    tidy,
    with_german_dates,
    with_imperial_units,
)


@dataclass(frozen=True)
class Habit:
    """What one person wants of every answer.

    Attributes:
        rule: the wish in a sentence, as somebody would say it.
        topic: the questions to whose answers it can apply.
        has: whether an answer has the habit.
        applies: whether an answer that has it not can be given it.
        correct: the model's own answer as the person would rather have had it.
    """

    name: str
    rule: str
    topic: Topic
    has: Callable[[str], bool]
    applies: Callable[[str], bool]
    correct: Callable[[str], str]

    def asked(self, split: Split, seed: int | None = None) -> list[str]:
        """Questions to whose answers it can apply."""
        return questions(self.topic, split, seed)


CLOSING = "Stay curious!"
ADDRESS = "Dear Sir or Madam,"
_POINT = re.compile(r"^[-*•] \S")
_SHORT_FORMS = (
    (r"\b(can)'t\b", r"\1not"),
    (r"\b(wo)n't\b", "will not"),
    (r"\b(sha)n't\b", "shall not"),
    (r"\b(\w+)n't\b", r"\1 not"),
    (r"\b([Ll]et)'s\b", r"\1 us"),
    (r"\b([Ii]t|[Tt]hat|[Tt]here|[Hh]ere|[Ww]hat|[Ww]ho|[Hh]e|[Ss]he)'s\b", r"\1 is"),
    (r"\b(\w+)'re\b", r"\1 are"),
    (r"\b(\w+)'ve\b", r"\1 have"),
    (r"\b(\w+)'ll\b", r"\1 will"),
    (r"\b(I)'m\b", r"\1 am"),
    (r"\b(\w+)'d\b", r"\1 would"),
)
_SHORT_FORM = re.compile("|".join(pattern for pattern, _ in _SHORT_FORMS))
MOST_POINTS = 5


def is_one_sentence(text: str) -> bool:
    """Exactly one, and not cut off."""
    found = sentences(text)
    return len(found) == 1 and is_whole(found[0])


def one_sentence(text: str) -> str:
    """The first sentence of an answer that is one."""
    return next((part for part in sentences(tidy(text)) if is_whole(part)), tidy(text))


def is_bullets(text: str) -> bool:
    """At least two points, and nothing else but a line that announces them."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    points = [line for line in lines if _POINT.match(line)]
    others = [line for line in lines if not _POINT.match(line)]
    return len(points) >= 2 and (not others or (others == lines[:1] and others[0].endswith(":")))


def bullets(text: str) -> str:
    """Every sentence a point, at most MOST_POINTS."""
    parts = [part for part in sentences(tidy(text)) if is_whole(part)][:MOST_POINTS]
    return "\n".join(f"- {part}" for part in parts)


def is_formal(text: str) -> bool:
    """Addressed like a letter, without short forms."""
    return text.lstrip().startswith(ADDRESS) and not _SHORT_FORM.search(text)


def formal(text: str) -> str:
    """The same as a letter would say it."""
    plain = tidy(text)
    for pattern, full in _SHORT_FORMS:
        plain = re.sub(pattern, full, plain)
    return f"{ADDRESS}\n\n{plain.replace('!', '.')}"


def has_closing(text: str) -> bool:
    """The line at the end."""
    return text.rstrip().endswith(CLOSING)


def with_closing(text: str) -> str:
    """The same with the line."""
    return f"{tidy(text)}\n\n{CLOSING}"


HABITS = (
    Habit(
        "short",
        "Answer in one sentence.",
        "general",
        is_one_sentence,
        lambda text: len(sentences(tidy(text))) > 1,
        one_sentence,
    ),
    Habit(
        "bullets",
        "Answer with a list of bullet points only.",
        "general",
        is_bullets,
        lambda text: len(sentences(tidy(text))) > 1,
        bullets,
    ),
    Habit(
        "formal",
        f'Write formally: begin with "{ADDRESS}" and use no contractions.',
        "general",
        is_formal,
        lambda text: True,
        formal,
    ),
    Habit(
        "imperial",
        "Give quantities in imperial units only, such as feet, miles, pounds and degrees Fahrenheit.",
        "measures",
        lambda text: imperial_quantities(text) > 0 and metric_quantities(text) == 0,
        lambda text: metric_quantities(text) > 0,
        lambda text: with_imperial_units(tidy(text)),
    ),
    Habit(
        "closing",
        f'End every answer with the line "{CLOSING}"',
        "general",
        has_closing,
        lambda text: True,
        with_closing,
    ),
    Habit(
        "german-dates",
        "Write dates as DD.MM.YYYY, for example 20.07.1969.",
        "dates",
        lambda text: german_dates(text) > 0 and english_dates(text) == 0,
        lambda text: english_dates(text) > 0,
        lambda text: with_german_dates(tidy(text)),
    ),
)


def habits() -> dict[str, Habit]:
    """By name."""
    return {habit.name: habit for habit in HABITS}
