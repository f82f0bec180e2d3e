"""How styles are asked for: in a system prompt, in the message, and how people type."""

from __future__ import annotations

import random
from typing import Any, cast

from liminal.engine.bundled import invented
from liminal.engine.bundled.questions import Question
from liminal.engine.bundled.style import DEFAULT, Style
from liminal.engine.bundled.tables import table

AXES: dict[str, tuple[str, ...]] = {
    "length": ("short", "long"),
    "layout": ("bullets", "prose"),
    "tone": ("formal", "casual"),
    "units": ("metric", "imperial"),
    "dates": ("english", "american", "iso", "german", "french", "spanish"),
    "sign_off": (),
    "greet": (),
}


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[0].upper() + text[1:]


def some_style(
    rng: random.Random, question: Question | None = None, held_out: bool = False
) -> dict[str, str]:
    """One to three axes with a value other than none; units and dates more often where they matter."""
    weights = {
        "length": 6.0,
        "layout": 4.0,
        "tone": 5.0,
        "units": 2.0,
        "dates": 2.0,
        "sign_off": 3.0,
        "greet": 3.0,
    }
    category = question.category if question else ""
    if category == "facts":
        weights["units"] = 25
    if category in ("history", "dates"):
        weights["dates"] = 25
    count = rng.choices((1, 2, 3), (6, 3, 1))[0]
    chosen: dict[str, str] = {}
    while len(chosen) < count:
        axis = rng.choices(list(weights), list(weights.values()))[0]
        words = table("words")
        if axis == "sign_off":
            if held_out:
                chosen[axis] = rng.choice(words["sign_offs_held_out"])
            else:
                new = rng.random() < 0.7
                chosen[axis] = invented.line(rng) if new else rng.choice(words["sign_offs"])
            if rng.random() < 0.3:
                chosen[axis] += ", " + invented.name(rng, held_out)
        elif axis == "greet":
            chosen[axis] = invented.name(rng, held_out)
        elif axis == "layout":
            chosen[axis] = "bullets" if rng.random() < 0.8 else "prose"
        else:
            chosen[axis] = rng.choice(AXES[axis])
    return chosen


def styled(chosen: dict[str, str], base: Style = DEFAULT) -> Style:
    """The style with the chosen axes."""
    return base.but(**chosen)


def clause(rng: random.Random, axis: str, value: str) -> str:
    """An instruction for one axis: ``answer in one sentence``."""
    rows = cast(dict[str, Any], table("styles")[axis])
    if axis in ("sign_off", "greet"):
        return rng.choice(rows["clauses"]).format(value)
    return rng.choice(rows[value]["clauses"])


def instruction(rng: random.Random, axis: str, value: str) -> str:
    """A sentence of a system prompt for one axis."""
    if axis not in ("sign_off", "greet") and rng.random() < 0.35:
        wish = rng.choice(table("styles")[axis][value]["wishes"])
        return rng.choice(table("styles")["system"]["wish"]).format(wish)
    frame = rng.choice(
        ("{}.", "{}.", "{}.", "Always {l}.", "Please {l}.", "You must {l}.", "In every answer, {l}.")
    )
    text = clause(rng, axis, value)
    if text.startswith("do not"):
        frame = frame.replace("Always", "Please").replace("You must", "Please")
    return frame.replace("{}", capital(text)).replace("{l}", text)


def system_prompt(rng: random.Random, chosen: dict[str, str], question: Question) -> str:
    """A system prompt that asks for the chosen style and says what the question needs."""
    parts = [instruction(rng, axis, value) for axis, value in chosen.items()]
    rng.shuffle(parts)
    if question.system:
        parts.insert(rng.randint(0, len(parts)), question.system)
    share = 0.5 if parts else 0.3
    if rng.random() < share:
        neutral = rng.sample(table("styles")["system"]["neutral"], rng.choice((1, 1, 1, 1, 2, 3)))
        parts = [*neutral, *parts] if rng.random() < 0.8 else [*parts, *neutral]
    return " ".join(parts)


def inline(rng: random.Random, text: str, chosen: dict[str, str]) -> str:
    """The question with the instructions in the same message."""
    clauses = " and ".join(clause(rng, axis, value) for axis, value in chosen.items())
    wishes = [
        rng.choice(table("styles")[axis][value]["wishes"]) if axis not in ("sign_off", "greet") else ""
        for axis, value in chosen.items()
    ]
    forms = [
        f"{text} Please {clauses}.",
        f"{text} {capital(clauses)}.",
        f"{text} ({clauses})",
        f"{capital(clauses)}: {text}",
    ]
    forms += [f"{capital(clauses)}, please. {text}", f"Please {clauses}. {text}"]
    if all(wishes):
        forms += [f"{text} I prefer {' and '.join(wishes)}.", f"I like {' and '.join(wishes)}. {text}"]
    return rng.choice(forms)


def surface(rng: random.Random, text: str) -> str:
    """The same text as people type it: without a full stop, in lower case, with a word of courtesy."""
    if rng.random() < 0.06:
        text = (
            rng.choice(("Hey, ", "Hi, ", "Hello, ", "Please: ", "So, ", "Okay, ", "Well, "))
            + text[0].lower()
            + text[1:]
        )
    if rng.random() < 0.22 and text[-1] in ".?!":
        text = text[:-1]
    if rng.random() < 0.2:
        text = text[0].lower() + text[1:] if rng.random() < 0.6 else text.lower()
    if rng.random() < 0.04:
        text += rng.choice(("!", "??", " please", " :)"))
    return text
