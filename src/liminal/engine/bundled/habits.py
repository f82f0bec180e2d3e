"""Habits that people may want in answers: checkers, prompts, and the corrections a person would write.

The learning simulator gives each of its people a habit. The bundled model can follow every habit when
told to and follows none by itself (``DEFAULT`` style), so an adapter has something to learn.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from liminal.engine.bundled import questions as q
from liminal.engine.bundled.corpus import CATEGORIES, draw_from, training_conversations, typed
from liminal.engine.bundled.questions import Question, is_held_out
from liminal.engine.bundled.style import (
    CLOSERS,
    CONTRACTIONS,
    DEFAULT,
    GREETINGS,
    MONTHS,
    OPENERS,
    Answer,
    Dates,
    Style,
    Tone,
    contract,
    render,
    resolve,
    write_date,
)
from liminal.engine.bundled.tables import table
from liminal.errors import LiminalError

Split = Literal["train", "held_out"]


class CannotRewrite(LiminalError):
    """A text that this habit cannot be given without knowing more than the text says."""

    code = "habit_cannot_rewrite"


@cache
def openers(tone: Tone) -> frozenset[str]:
    """Every opener of a tone."""
    place = ("neutral", "formal", "casual").index(tone)
    own = {row["openers"][place] for row in table("smalltalk").values()}
    fixed = (("Understood!", "Very well.", "Got it!")[place], ("Hello!", "Good day.", "Hey there!")[place])
    return frozenset({*own, OPENERS[tone], q.DECLINE_OPENERS[place], *fixed} - {""})


_MONTH_NAMES = "|".join(sorted({name for names in MONTHS.values() for name in names}))
_END = re.compile(rf"(?<=[.!?])\s+(?!(?:{_MONTH_NAMES})\b)")


def sentences(text: str) -> list[str]:
    """The sentences and bullet points of a text; ``5. März`` does not end one."""
    lines = [re.sub(r"^- ", "", line).strip() for line in text.splitlines()]
    return [part for line in lines if line for part in _END.split(line)]


def is_sign_off(block: str) -> bool:
    """Whether a last paragraph is a line that signs the answer: short and without a full stop."""
    return "\n" not in block and not block.startswith("- ") and block[-1:] not in ".!?:" and len(block) < 60


def without_sign_off(text: str) -> str:
    """The text without a line at its end that signs it."""
    blocks = text.strip().split("\n\n")
    return "\n\n".join(blocks[:-1]) if len(blocks) > 1 and is_sign_off(blocks[-1]) else text.strip()


def body(text: str) -> list[str]:
    """The sentences that carry the answer: no greeting, opener, closer or sign-off."""
    frame = {*openers("neutral"), *openers("formal"), *openers("casual"), *CLOSERS.values()}
    greeting = re.compile(r"(Hello|Good day,|Hey) \w+[.!]")
    return [
        part
        for part in sentences(without_sign_off(text))
        if part not in frame and not greeting.fullmatch(part)
    ]


def is_short(text: str) -> bool:
    """One sentence beside greeting, opener and sign-off."""
    return len(body(text)) == 1


def is_long(text: str) -> bool:
    """At least four sentences."""
    return len(body(text)) >= 4


def is_bullets(text: str) -> bool:
    """Every sentence of the answer is a point of a list."""
    lines = [line for line in without_sign_off(text).splitlines() if line.strip()]
    points = [line for line in lines if line.startswith("- ")]
    return bool(points) and not body("\n".join(line for line in lines if not line.startswith("- ")))


_CONTRACTED = re.compile("|".join(rf"\b{re.escape(short)}\b" for _, short in CONTRACTIONS))


def _has_marker(text: str, tone: Tone) -> bool:
    others = openers("neutral") | openers("formal" if tone == "casual" else "casual")
    markers = (openers(tone) - others) | {CLOSERS[tone], GREETINGS[tone].split("{")[0] + "{"}
    parts = sentences(without_sign_off(text))
    return any(part in markers for part in parts) or bool(
        re.match({"formal": r"Good day, \w+\.", "casual": r"Hey \w+!"}.get(tone, "$^"), text)
    )


def is_formal(text: str) -> bool:
    """A formal opener or closer, no contraction, nothing casual."""
    return _has_marker(text, "formal") and not _CONTRACTED.search(text) and not _has_marker(text, "casual")


def is_casual(text: str) -> bool:
    """A casual opener or closer and nothing formal."""
    return _has_marker(text, "casual") and not _has_marker(text, "formal")


def is_neutral(text: str) -> bool:
    """Neither formal nor casual."""
    return not _has_marker(text, "formal") and not _has_marker(text, "casual")


METRIC = re.compile(
    r"\b(kilomet|met|centimet|millimet|lit|millilit)res?\b|\b(kilo)?grams?\b|\bCelsius\b", re.I
)
IMPERIAL = re.compile(
    r"\b(miles?|feet|foot|inch(es)?|pounds?|ounces?|gallons?|yards?)\b|\bFahrenheit\b", re.I
)


def is_metric(text: str) -> bool:
    """Metric units and no imperial ones."""
    return bool(METRIC.search(text)) and not IMPERIAL.search(text)


def is_imperial(text: str) -> bool:
    """Imperial units and no metric ones."""
    return bool(IMPERIAL.search(text)) and not METRIC.search(text)


def _date_patterns() -> dict[Dates, re.Pattern[str]]:
    def month(language: str) -> str:
        return f"(?:{'|'.join(MONTHS[language])})"

    return {
        "english": re.compile(rf"\b\d{{1,2}} {month('english')} \d{{1,4}}\b"),
        "american": re.compile(rf"\b{month('english')} \d{{1,2}}, \d{{1,4}}\b"),
        "iso": re.compile(r"\b\d{4}-\d{2}-\d{2}\b"),
        "german": re.compile(rf"\b\d{{1,2}}\. {month('german')} \d{{1,4}}\b"),
        "french": re.compile(rf"\b\d{{1,2}} {month('french')} \d{{1,4}}\b"),
        "spanish": re.compile(rf"\b\d{{1,2}} de {month('spanish')} de \d{{1,4}}\b"),
    }


DATES = _date_patterns()


def has_dates(text: str, dates: Dates) -> bool:
    """A date in this form and none in another."""
    return all(bool(pattern.search(text)) == (name == dates) for name, pattern in DATES.items())


def signs_off(text: str, line: str) -> bool:
    """The last line is the given one and the line before it is empty."""
    return text.rstrip().endswith(f"\n\n{line}")


def greets(text: str, name: str) -> bool:
    """The answer starts with a greeting by this name."""
    return any(text.startswith(form.format(name)) for form in GREETINGS.values())


@dataclass(frozen=True)
class Habit:
    """What one person wants in every answer.

    ``style`` is the habit as a style; ``checker`` tells from the text alone whether an answer has
    it; ``categories`` are those whose questions show it.
    """

    name: str
    description: str
    style: Style
    checker: Callable[[str], bool]
    categories: tuple[str, ...]

    def correct(self, question: Question) -> str:
        """The right answer in this habit's form: the correction this person writes."""
        return render(question.answer, self.style)

    def rewrite(self, text: str, question: Question | None = None) -> str:
        """A default answer in this habit's form; raises CannotRewrite if that needs more than the text."""
        rewritten = self.correct(question) if question is not None else _rewritten(text, self.style)
        if not self.checker(rewritten):
            raise CannotRewrite(
                f"an answer cannot be given the habit {self.name} from its text", habit=self.name
            )
        return rewritten


EVERYWHERE = ("smalltalk", "liminal", "arithmetic", "conversion", "glossary", "facts", "history", "dates")
DATED = ("history", "dates")


def habits() -> dict[str, Habit]:
    """The habits by name."""
    return {habit.name: habit for habit in all_habits()}


def all_habits(name: str = "Nora", sign_off: str = "Kind regards, Nora") -> tuple[Habit, ...]:
    """Every habit, for a person of the given name."""

    def dated(dates: Dates, description: str) -> Habit:
        return Habit(
            f"{dates}-dates", description, Style(dates=dates), lambda text: has_dates(text, dates), DATED
        )

    return (
        Habit("short", "one sentence", Style(length="short"), is_short, EVERYWHERE),
        Habit("long", "at least four sentences", Style(length="long"), is_long, EVERYWHERE),
        Habit("bullets", "bullet points", Style(layout="bullets"), is_bullets, (*EVERYWHERE, "lists")),
        Habit("formal", "a formal tone", Style(tone="formal"), is_formal, EVERYWHERE),
        Habit("casual", "a casual tone", Style(tone="casual"), is_casual, EVERYWHERE),
        Habit("imperial", "imperial units", Style(units="imperial"), is_imperial, ("facts",)),
        Habit(
            "sign-off",
            f"ends with: {sign_off}",
            Style(sign_off=sign_off),
            lambda t: signs_off(t, sign_off),
            EVERYWHERE,
        ),
        Habit(
            "greeting",
            f"greets {name} by name",
            Style(greet=name),
            lambda text: greets(text, name),
            EVERYWHERE,
        ),
        dated("german", "dates in German"),
        dated("french", "dates in French"),
        dated("spanish", "dates in Spanish"),
        dated("iso", "dates in ISO 8601"),
        dated("american", "dates with the month first"),
    )


def subject(question: Question) -> str:
    """What a question is about: phrasings of one subject are never split between training and test."""
    return question.more or question.key


def split_of(question: Question) -> Split:
    """The part of the simulator's prompts that a question belongs to."""
    digest = hashlib.sha256(f"habits 1 {subject(question).casefold()}".encode()).digest()
    return "held_out" if digest[0] < 100 else "train"


def prompts(habit: Habit, split: Split, count: int, seed: int) -> list[Question]:
    """Distinct questions that show the habit; the same for the same seed.

    The two splits share no subject. Both may hold texts that pre-training has seen in the default
    style: what is judged is the habit, and ``general`` judges what was known before.
    """
    rng = random.Random(f"habit {habit.name} {split} {seed}")
    found: dict[str, Question] = {}
    while len(found) < count:
        question = draw_from(rng, rng.choice(habit.categories))
        shows = habit.categories != DATED or any("{" in fragment for fragment in question.must)
        if shows and not question.system and split_of(question) == split:
            asked = typed(rng, question)
            found.setdefault(
                asked,
                Question(
                    asked, question.answer, question.category, question.key, question.must, "", question.more
                ),
            )
    return list(found.values())


def general(split: Split, count: int, seed: int) -> list[tuple[list[dict[str, str]], str]]:
    """(messages, answer) pairs of the model's own behaviour, for replay and for the general NLL.

    ``train`` pairs come from pre-training's stream, ``held_out`` pairs were never trained on.
    """
    rng = random.Random(f"general {seed}")
    pairs: list[tuple[list[dict[str, str]], str]] = []
    stream: Iterator[tuple[list[dict[str, str]], str]] = _default_pairs(split, rng, seed)
    while len(pairs) < count:
        pairs.append(next(stream))
    return pairs


def _default_pairs(split: Split, rng: random.Random, seed: int) -> Iterator[tuple[list[dict[str, str]], str]]:
    if split == "train":
        for conversation in training_conversations(seed):
            if len(conversation.turns) == 1 and conversation.turns[0].style == DEFAULT:
                messages = conversation.messages()
                yield messages[:-1], messages[-1]["content"]
    while True:
        question = draw_from(rng, rng.choice(list(CATEGORIES)))
        if is_held_out(question.key) and not question.system:
            yield [{"role": "user", "content": typed(rng, question)}], render(question.answer, DEFAULT)


@cache
def _known_answers() -> dict[str, Answer]:
    found: dict[str, Answer] = {}
    rows = [*table("facts").values(), *table("history").values()]
    rows += [row["sentences"] for name in ("liminal", "smalltalk") for row in table(name).values()]
    for row in rows:
        found[resolve(row[0], DEFAULT)] = Answer(tuple(row))
    for field, definition, detail, example in table("glossary").values():
        found[definition] = Answer((definition, detail, example, f"The term belongs to {field}."))
    return found


def _rewritten(text: str, style: Style) -> str:
    parts = body(text)
    known = _known_answers().get(parts[0]) if parts else None
    if known is not None:
        lead = sentences(text)[0]
        by_opener = {row["openers"][0]: row["openers"] for row in table("smalltalk").values()}
        own = by_opener.get(lead)
        return render(Answer(known.sentences, openers=(own[0], own[1], own[2]) if own else None), style)
    if style.length == "short":
        return parts[0] if parts else text
    if style.layout == "bullets":
        return "\n".join(f"- {part}" for part in parts)
    if style.tone != "neutral":
        inner = contract(text) if style.tone == "casual" else text
        return f"{OPENERS[style.tone]} {inner} {CLOSERS[style.tone]}"
    if style.sign_off:
        return f"{text.rstrip()}\n\n{style.sign_off}"
    if style.greet:
        return f"{GREETINGS['neutral'].format(style.greet)} {text}"
    return DATES["english"].sub(lambda found: _date_in(found.group(0), style.dates), text)


def _date_in(english: str, dates: Dates) -> str:
    day, month, year = english.split()
    return write_date(f"{int(year):04d}-{MONTHS['english'].index(month) + 1:02d}-{int(day):02d}", dates)
