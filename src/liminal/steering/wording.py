"""How what a person asked for is said to the model."""

from __future__ import annotations

import re

_ALREADY_NEGATIVE = re.compile(r"(never|do not|don['’]t|please|no|not|stop|avoid|without)\b", re.IGNORECASE)


def instruction_of(kind: str, text: str) -> str:
    """An always or never rule as a sentence; words that already forbid are left as they are.

    "use grams" always is "Use grams.", "apologise" never is "Do not apologise.".
    """
    words = text.strip()
    if kind == "never" and not _ALREADY_NEGATIVE.match(words):
        words = f"Do not {_lowered(words)}"
    return sentence(words)


def sentence(text: str) -> str:
    """The words with a capital at the beginning and a full stop at the end."""
    words = text.strip()
    words = words[:1].upper() + words[1:]
    return words if words[-1:] in ".!?…:\"'”’»" else f"{words}."


def _lowered(words: str) -> str:
    first = words.split(maxsplit=1)[0] if words else ""
    # an abbreviation or a name's odd spelling stays: "ISO dates", "iPhone"
    return words if any(c.isupper() for c in first[1:]) or first == "I" else words[:1].lower() + words[1:]
