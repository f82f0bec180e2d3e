"""What a cluster is called: its most typical words, and the check that a label written by a model must pass.

Typical words are those of the highest class-based TF-IDF (Grootendorst 2022, BERTopic, section 3.3): often in
this cluster, seldom in the others.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from importlib.resources import files
from uuid import UUID

from liminal.learning.clusters.pieces import Piece

WORDS = 5
"""Typical words of a cluster that are kept; the first three are its label."""
SHOWN = 3
LONGEST_LABEL = 60
MOST_WORDS = 8
WORD = re.compile(r"[^\W\d_][\w'’-]+")


def typical_words(
    clusters: Mapping[UUID, Sequence[Piece]], *, least_people: int = 1
) -> dict[UUID, list[str]]:
    """The most typical words of each cluster, best first.

    ``least_people``: only words that so many people wrote within the cluster, so that a label shown to others
    gives nobody's words away.
    """
    counts = {identity: Counter(_words(pieces)) for identity, pieces in clusters.items()}
    total: Counter[str] = Counter()
    for count in counts.values():
        total.update(count)
    mean = sum(total.values()) / max(1, len(counts))
    found: dict[UUID, list[str]] = {}
    for identity, count in counts.items():
        allowed = _shared(clusters[identity], least_people)
        every = max(1, sum(count.values()))
        scores = {
            word: number / every * math.log(1 + mean / total[word])
            for word, number in count.items()
            if word in allowed
        }
        found[identity] = sorted(scores, key=lambda word: (-scores[word], word))[:WORDS]
    return found


def label_of(words: Sequence[str]) -> str:
    """A label made of typical words; ``Unnamed`` where there are none to show."""
    return ", ".join(words[:SHOWN]) or "Unnamed"


def checked_label(said: str, words: Collection[str], *, only: Collection[str] | None = None) -> str | None:
    """What a model said, if it is a label: one short line that shares a word with the cluster; else None.

    ``words``: of the cluster's members, as ``content_words`` gives them. ``only``: every word that says
    something must be one of these.
    """
    lines = [line.strip(" \t\"'“”„.*#-") for line in said.strip().splitlines() if line.strip()]
    if len(lines) != 1 or not 2 <= len(lines[0]) <= LONGEST_LABEL or len(lines[0].split()) > MOST_WORDS:
        return None
    used = content_words(lines[0])
    if not any(_alike(word, other) for word in used for other in words):
        return None
    if only is not None and not all(any(_alike(word, other) for other in only) for word in used):
        return None
    return lines[0]


def content_words(text: str) -> list[str]:
    """The words of a text that say something, in small letters, in order."""
    return [word for word in WORD.findall(text.casefold()) if word not in _stopwords() and len(word) > 2]


def _words(pieces: Sequence[Piece]) -> list[str]:
    return [word for piece in pieces for text in piece.texts for word in content_words(text)]


def _shared(pieces: Sequence[Piece], least_people: int) -> set[str]:
    people: dict[str, set[UUID]] = defaultdict(set)
    for piece in pieces:
        for word in _words([piece]):
            people[word].add(piece.owner)
    return {word for word, owners in people.items() if len(owners) >= least_people}


def _alike(one: str, other: str) -> bool:
    """Whether two words are forms of one: "conversion" is about converting."""
    shared = next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    return one == other or shared >= max(4, 0.7 * min(len(one), len(other)))


@cache
def _stopwords() -> frozenset[str]:
    text = files("liminal.learning.clusters").joinpath("data/stopwords.txt").read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())
