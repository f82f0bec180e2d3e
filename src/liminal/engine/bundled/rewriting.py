"""Rewriting: sentences from a small grammar with their shorter, politer, … forms."""

from __future__ import annotations

import random

from liminal.engine.bundled import invented
from liminal.engine.bundled.questions import Question
from liminal.engine.bundled.style import Answer
from liminal.engine.bundled.tables import table

ASK: dict[str, tuple[str, ...]] = {
    "repeat": (
        "Repeat this",
        "Say this again",
        "Copy this",
        "Repeat after me",
        "Write this once more",
    ),
    "polite": (
        "Make this politer",
        "Say this politely",
        "Rewrite this politely",
        "Make this more polite",
        "Be polite",
    ),
    "formal request": (
        "Make this formal",
        "Rewrite this formally",
        "Write this in a formal way",
        "Say this formally",
    ),
    "informal request": (
        "Make this informal",
        "Rewrite this casually",
        "Say this to a friend",
        "Make this casual",
    ),
    "shorter": (
        "Make this shorter",
        "Shorten this",
        "Say this in fewer words",
        "Cut this down",
        "Rewrite this shorter",
    ),
    "bullets": (
        "Turn this into bullet points",
        "Write this as bullets",
        "Make a bulleted list of this",
        "As bullets",
    ),
    "expand": (
        "Make this formal",
        "Rewrite this formally",
        "Write this without contractions",
        "Say this formally",
    ),
    "contract": (
        "Make this informal",
        "Rewrite this casually",
        "Write this with contractions",
        "Make this casual",
    ),
    "upper": (
        "Write this in capital letters",
        "Make this upper case",
        "In capitals",
        "Convert to upper case",
    ),
    "lower": (
        "Write this in small letters",
        "Make this lower case",
        "In lower case",
        "Convert to lower case",
    ),
}
FRAMES = ("{}: {}", '{}: "{}"', "{}:\n{}", "Please {l}: {}", "{}, please: {}", "Can you {l}? {}", '{}. "{}"')


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[0].upper() + text[1:]


# repeating is the plainest form of the copying that names, dates and lines need
SHARES = {"repeat": 3.0, "upper": 1.5, "lower": 1.5}


def request(rng: random.Random) -> str:
    """``send me the report by Friday``"""
    words = table("words")["rewriting"]
    return f"{rng.choice(words['verbs'])} {rng.choice(words['objects'])} {rng.choice(words['times'])}"


def event(rng: random.Random) -> tuple[str, str]:
    """A long sentence about what somebody did, and its core."""
    words = table("words")["rewriting"]
    core = f"{rng.choice(words['people'])} {rng.choice(words['actions'])}"
    return f"{rng.choice(words['openings'])} {core} {rng.choice(words['times'])}.", f"{capital(core)}."


def judgement(rng: random.Random) -> tuple[str, str]:
    """A long sentence about what something is like, and its core."""
    words = table("words")["rewriting"]
    thing, adjective = rng.choice(words["singular_things"]), rng.choice(words["adjectives"])
    start = f"{rng.choice(words['openings'])} the {thing} is {rng.choice(words['adverbs'])} {adjective}"
    return f"{start} {rng.choice(words['reasons'])}.", f"The {thing} is {adjective}."


def short_sentence(rng: random.Random) -> str:
    """A short statement or request."""
    match rng.randrange(3):
        case 0:
            return judgement(rng)[1]
        case 1:
            return event(rng)[1]
        case _:
            return f"{capital(request(rng))}."


def contracted(rng: random.Random) -> tuple[str, str]:
    """A sentence with contractions and the same without."""
    words = table("words")["rewriting"]
    first, second = rng.sample(words["formal_pairs"], 2)
    link = rng.choice((" and ", ", because ", ", but ", ", so "))
    return f"{capital(first[0])}{link}{second[0]}.", f"{capital(first[1])}{link}{second[1]}."


def source_and_result(rng: random.Random, kind: str) -> tuple[str, str]:
    """A source sentence and what the rewriting makes of it."""
    words = table("words")["rewriting"]
    match kind:
        case "polite" | "formal request" | "informal request":
            wish = request(rng)
            result = {
                "polite": f"Could you please {wish}?",
                "formal request": f"I would be grateful if you could {wish}.",
                "informal request": f"Hey, can you {wish}?",
            }[kind]
            return f"{capital(wish)}.", result
        case "shorter":
            return event(rng) if rng.random() < 0.5 else judgement(rng)
        case "bullets":
            items = rng.sample(words["items"], rng.randint(3, 6))
            source = f"{rng.choice(words['needs'])} {', '.join(items[:-1])} and {items[-1]}."
            return source, "\n".join(f"- {item}" for item in items)
        case "expand":
            return contracted(rng)
        case "contract":
            informal, formal = contracted(rng)
            return formal, informal
        case "repeat" if rng.random() < invented.SHARE:
            source = f"{invented.line(rng)} {invented.line(rng).lower()}"
            return source, source
        case "repeat":
            source = short_sentence(rng)
            return source, source
        case _:
            source = short_sentence(rng)
            return source, source.upper() if kind == "upper" else source.lower()


def rewriting(rng: random.Random) -> Question:
    """``Make this shorter: …``"""
    kind = rng.choices(list(ASK), [SHARES.get(kind, 1.0) for kind in ASK])[0]
    source, result = source_and_result(rng, kind)
    ask = rng.choice(ASK[kind])
    if kind == "lower" and rng.random() < 0.5:
        source = source.upper()
    frame = rng.choice(FRAMES)
    lowered = ask[0].lower() + ask[1:]
    text = (
        frame.replace("{l}", lowered).replace("{}", ask, 1).replace("{}", source, 1)
        if "{l}" not in frame
        else (frame.replace("{l}", lowered).replace("{}", source, 1))
    )
    return Question(text, Answer((result,), fixed=True), "rewriting", f"rewrite {source}", (result,))
