"""Words that nobody has seen before: what has to be copied must not be learned by heart."""

from __future__ import annotations

import random
from functools import cache

from liminal.engine.bundled.tables import table

ONSETS = (
    *("b", "br", "c", "ch", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "pl"),
    *("qu", "r", "s", "sh", "st", "t", "tr", "th", "v", "w", "y", "z"),
)
VOWELS = ("a", "e", "i", "o", "u", "a", "e", "i", "o", "ai", "ea", "ie", "oo", "y")
CODAS = ("", "", "", "", "n", "r", "l", "s", "m", "t", "k", "nd", "x", "sk", "ph", "ll", "tt")
SHARE = 0.5


@cache
def reserved() -> tuple[str, ...]:
    """The words of the examination, which no training text may hold."""
    unknown, words = table("unknown"), table("words")
    rows = [row for name, row in [*unknown.items(), *words.items()] if name.endswith("_held_out")]
    return tuple({part for row in rows for entry in row for part in entry.casefold().split()})


def word(rng: random.Random) -> str:
    """A word of two or three syllables that can be spoken; no word of the examination."""
    while True:
        syllables = rng.choice((2, 2, 3))
        start = "" if rng.random() < 0.15 else rng.choice(ONSETS)
        found = start + rng.choice(VOWELS) + rng.choice(CODAS)
        for _ in range(syllables - 1):
            found += rng.choice(ONSETS) + rng.choice(VOWELS)
        found += rng.choice(CODAS)
        if not found.startswith(reserved()):
            return found


def noun(rng: random.Random, known: list[str]) -> str:
    """One of the known nouns, or a new one."""
    return word(rng) if rng.random() < SHARE else rng.choice(known)


def name(rng: random.Random, held_out: bool = False) -> str:
    """A first name: a known or a new one; for the examination one that is in no training text."""
    words = table("words")
    if held_out:
        return rng.choice(words["names_held_out"])
    return word(rng).capitalize() if rng.random() < SHARE else rng.choice(words["names"])


def line(rng: random.Random) -> str:
    """A line of two to four words in any order, to sign an answer with."""
    words = table("words")["rewriting"]
    pool = [*words["adjectives"], *words["singular_things"], *words["items"], *words["adverbs"]]
    parts = [word(rng) if rng.random() < 0.2 else rng.choice(pool) for _ in range(rng.randint(2, 4))]
    return " ".join(parts).capitalize()
