"""The everyday questions that the benches of learning ask: a frozen file, parted into taught and held out."""

from __future__ import annotations

import random
from functools import cache
from importlib.resources import files
from typing import Literal

Topic = Literal["general", "measures", "dates"]
"""What a question's answer holds: anything; quantities; full dates."""
Split = Literal["taught", "held out"]


@cache
def _sections() -> dict[str, tuple[str, ...]]:
    text = files("liminal.bench.schooling").joinpath("data/questions.txt").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            lines = found.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            lines.append(line)
    return {name: tuple(section) for name, section in found.items()}


def questions(topic: Topic, split: Split, seed: int | None = None) -> list[str]:
    """All questions of a topic and split, as in the file or in an order of ``seed``."""
    found = list(_sections()[f"{topic}: {split}"])
    if seed is not None:
        random.Random(f"{topic} {split} {seed}").shuffle(found)
    return found
