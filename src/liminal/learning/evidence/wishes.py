"""Wishes in what people write: a table of rules, each a few patterns, read sentence by sentence.

The table is data (``data/wishes.toml``) with a name and a version, which every detection names; its examples
are tests.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Polarity = Literal["like", "dislike", "always", "never"]

LONGEST = 1000
"""Characters of a message that is looked at whole; of a longer one the first and the last sentence."""
LONGEST_SENTENCE = 200
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
ENDING = " \t\r.!?"
NEGATED = re.compile(
    r"\b(don't|do not|never|stop|avoid|without|no more|not|nicht|kein\w*)( \w+){0,2} $", re.IGNORECASE
)
"""Before what a pattern finds: the sentence asks for the opposite. A rule about a refusal has it inside."""


@dataclass(frozen=True)
class Wish:
    """What somebody wishes for.

    Attributes:
        rule: the rule's name and its table's, ``length.short@wishes.1``.
        statement: the wish in a sentence.
        dimension, value: what it is about, and what is wished for along it.
        confidence: 0 to 1.
    """

    rule: str
    statement: str
    dimension: str
    value: str
    polarity: Polarity
    confidence: float

    @property
    def name(self) -> str:
        """The same for the same wish in other words."""
        return f"{self.dimension} {self.value.casefold()} {self.polarity}"


@dataclass(frozen=True)
class Rule:
    """A row of the table: ``follow_up`` ones ask that an answer came before."""

    name: str
    dimension: str
    statement: str
    confidence: float
    patterns: tuple[re.Pattern[str], ...]
    value: str | None = None
    polarity: Polarity = "like"
    follow_up: bool = False
    value_names: Mapping[str, str] = field(default_factory=dict[str, str])
    examples: tuple[str, ...] = ()
    counterexamples: tuple[str, ...] = ()

    def read(self, sentence: str, table: str) -> Wish | None:
        """The wish in a sentence."""
        found = next(filter(None, (pattern.search(sentence) for pattern in self.patterns)), None)
        if found is None or NEGATED.search(sentence[: found.start()]):
            return None
        value = self.value or found["value"].strip()
        value = self.value_names.get(value.casefold(), value)
        statement = self.statement.replace("{value}", value)
        return Wish(f"{self.name}@{table}", statement, self.dimension, value, self.polarity, self.confidence)


@dataclass(frozen=True)
class WishTable:
    """All rules. ``acts`` are wishes that what somebody did tells, by the act's name."""

    name: str
    standing: re.Pattern[str]
    standing_confidence: float
    rules: tuple[Rule, ...]
    acts: Mapping[str, Wish]

    def read(self, text: str, *, follow_up: bool, before: str | None = None) -> list[Wish]:
        """The wishes in a message, one of each name, in the order in which they are said.

        ``follow_up``: an answer came before it. ``before`` is the message that it is an edit of: only what
        was added is looked at.
        """
        known = set() if before is None else set(sentences(before))
        found: dict[str, Wish] = {}
        for sentence in sentences(text):
            if sentence in known:
                continue
            standing = self.standing.search(sentence) is not None
            for rule in self.rules:
                wish = rule.read(sentence, self.name) if follow_up or standing or not rule.follow_up else None
                if wish is None:
                    continue
                if standing:
                    wish = replace(wish, confidence=max(wish.confidence, self.standing_confidence))
                if wish.name not in found or found[wish.name].confidence < wish.confidence:
                    found[wish.name] = wish
        return list(found.values())


def sentences(text: str) -> list[str]:
    """The sentences that are looked at, without the marks at their ends."""
    every = [part.strip(ENDING) for part in SENTENCE.split(text)]
    every = [part for part in every if part and len(part) <= LONGEST_SENTENCE]
    return every if len(text) <= LONGEST else [*every[:1], *every[1:][-1:]]


@cache
def wish_table() -> WishTable:
    """The table that is shipped."""
    text = files("liminal.learning.evidence").joinpath("data/wishes.toml").read_text(encoding="utf-8")
    return parse_table(tomllib.loads(text))


def parse_table(data: Mapping[str, Any]) -> WishTable:
    """A table from plain data. Raises KeyError, TypeError and re.error for one that is wrong."""
    name = f"{data['name']}.{data['version']}"
    acts = {
        row["name"]: Wish(
            f"{row['name']}@{name}",
            row["statement"],
            row["dimension"],
            row["value"],
            row["polarity"],
            row["confidence"],
        )
        for row in data["act"]
    }
    standing = data["standing"]
    return WishTable(
        name,
        re.compile(standing["pattern"], re.IGNORECASE),
        standing["confidence"],
        tuple(_rule(row) for row in data["rule"]),
        acts,
    )


def _rule(row: Mapping[str, Any]) -> Rule:
    patterns: Sequence[str] = row["patterns"]
    fields: dict[str, Any] = {
        **row,
        "patterns": tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns),
        "examples": tuple(row["examples"]),
        "counterexamples": tuple(row["counterexamples"]),
    }
    return Rule(**fields)
