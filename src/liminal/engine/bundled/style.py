"""The styles an answer can have, and how an answer is written in one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

Length = Literal["short", "default", "long"]
Layout = Literal["prose", "bullets"]
Tone = Literal["neutral", "formal", "casual"]
Units = Literal["metric", "imperial"]
Dates = Literal["english", "american", "iso", "german", "french", "spanish"]

MONTHS: dict[str, tuple[str, ...]] = {
    "english": (
        *("January", "February", "March", "April", "May", "June", "July"),
        *("August", "September", "October", "November", "December"),
    ),
    "german": (
        *("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli"),
        *("August", "September", "Oktober", "November", "Dezember"),
    ),
    "french": (
        *("janvier", "février", "mars", "avril", "mai", "juin", "juillet"),
        *("août", "septembre", "octobre", "novembre", "décembre"),
    ),
    "spanish": (
        *("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio"),
        *("agosto", "septiembre", "octubre", "noviembre", "diciembre"),
    ),
}

# (openers, closer) of a tone; an answer may bring openers of its own
OPENERS: dict[Tone, str] = {"neutral": "", "formal": "Certainly.", "casual": "Sure thing!"}
CLOSERS: dict[Tone, str] = {
    "neutral": "",
    "formal": "Please let me know if I may be of further assistance.",
    "casual": "Hope that helps!",
}
GREETINGS: dict[Tone, str] = {"neutral": "Hello {}.", "formal": "Good day, {}.", "casual": "Hey {}!"}
GREETING_OPENERS = ("Hello!", "Good day.", "Hey there!", "Hey hey!", "Good day to you.")

# what a casual answer contracts; a formal or neutral one has none of the right-hand forms
CONTRACTIONS: tuple[tuple[str, str], ...] = (
    ("It is", "It's"),
    ("it is", "it's"),
    ("I am", "I'm"),
    ("I will", "I'll"),
    ("I have", "I've"),
    ("That is", "That's"),
    ("that is", "that's"),
    ("You are", "You're"),
    ("you are", "you're"),
    ("do not", "don't"),
    ("does not", "doesn't"),
    ("did not", "didn't"),
    ("is not", "isn't"),
    ("are not", "aren't"),
    ("was not", "wasn't"),
    ("cannot", "can't"),
    ("They are", "They're"),
    ("they are", "they're"),
    ("There is", "There's"),
    ("there is", "there's"),
    ("Let us", "Let's"),
    ("let us", "let's"),
)
_CONTRACT = re.compile(r"\b(" + "|".join(re.escape(full) for full, _ in CONTRACTIONS) + r")\b(?=[ ,])")
_SHORT_FORM: dict[str, str] = dict(CONTRACTIONS)
_MARK = re.compile(r"\{([^{}]*)\}")
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


@dataclass(frozen=True)
class Style:
    """How an answer is written; the defaults are the model's own style."""

    length: Length = "default"
    layout: Layout = "prose"
    tone: Tone = "neutral"
    units: Units = "metric"
    dates: Dates = "english"
    sign_off: str = ""
    greet: str = ""

    def but(self, **changes: str) -> Style:
        """This style with some axes changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


DEFAULT = Style()


@dataclass(frozen=True)
class Answer:
    """The content of an answer before it has a style.

    ``sentences``: the first alone is the short answer, the first two the default one, all of them
    the long one. ``{5 metres|16 feet}`` marks a quantity and ``{2026-03-12}`` a date. ``items``
    are what a list names. ``openers`` replace the tone's (neutral, formal, casual). A ``fixed``
    answer (a rewritten sentence) has one form whatever the style.
    """

    sentences: tuple[str, ...]
    items: tuple[str, ...] = ()
    openers: tuple[str, str, str] | None = None
    fixed: bool = False


def write_date(iso: str, dates: Dates) -> str:
    """An ISO date in the given style: ``2026-03-05`` → ``5 March 2026``, ``5. März 2026``, …"""
    year, month, day = (int(part) for part in iso.split("-"))
    date(year, month, day)
    match dates:
        case "iso":
            return iso
        case "english":
            return f"{day} {MONTHS['english'][month - 1]} {year}"
        case "american":
            return f"{MONTHS['english'][month - 1]} {day}, {year}"
        case "german":
            return f"{day}. {MONTHS['german'][month - 1]} {year}"
        case "french":
            return f"{day} {MONTHS['french'][month - 1]} {year}"
        case "spanish":
            return f"{day} de {MONTHS['spanish'][month - 1]} de {year}"


def resolve(sentence: str, style: Style) -> str:
    """A sentence with its marks written out in the style's units and dates."""

    def mark(found: re.Match[str]) -> str:
        inner = found.group(1)
        if _ISO.fullmatch(inner):
            return write_date(inner, style.dates)
        metric, imperial = inner.split("|")
        return metric if style.units == "metric" else imperial

    return _MARK.sub(mark, sentence)


def contract(text: str) -> str:
    """The text with casual contractions: ``it is`` → ``it's``."""
    return _CONTRACT.sub(lambda found: _SHORT_FORM[found.group(1)], text)


def body_sentences(answer: Answer, style: Style) -> list[str]:
    """The sentences of the answer that the style's length asks for, resolved and in its tone."""
    count = {"short": 1, "default": 2, "long": len(answer.sentences)}[style.length]
    sentences = [resolve(sentence, style) for sentence in answer.sentences[:count]]
    return [contract(sentence) for sentence in sentences] if style.tone == "casual" else sentences


def opening(answer: Answer, style: Style) -> str:
    """Greeting by name and opener, as the style has them."""
    openers = answer.openers or (OPENERS["neutral"], OPENERS["formal"], OPENERS["casual"])
    opener = openers[("neutral", "formal", "casual").index(style.tone)]
    greeting = GREETINGS[style.tone].format(style.greet) if style.greet else ""
    if greeting and opener in GREETING_OPENERS:
        opener = ""
    return " ".join(part for part in (greeting, opener) if part)


def render(answer: Answer, style: Style = DEFAULT) -> str:
    """The answer as text in the given style."""
    if answer.fixed:
        return resolve(answer.sentences[0], style)
    sentences = body_sentences(answer, style)
    start = opening(answer, style)
    closer = CLOSERS[style.tone] if style.length != "short" else ""
    if style.layout == "bullets":
        points = answer.items or tuple(sentences)
        blocks = [start, "\n".join(f"- {point}" for point in points), closer]
    else:
        blocks = [" ".join(part for part in (start, *sentences, closer) if part)]
    return "\n\n".join(block for block in (*blocks, style.sign_off) if block)
