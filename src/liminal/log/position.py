"""A place on the log."""

from __future__ import annotations

from typing import NamedTuple, Self


class Position(NamedTuple):
    """Partition and offset of one record; written ``partition:offset``."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The position written as ``p:o``. Raises ValueError on anything else."""
        partition, separator, offset = text.partition(":")
        if not separator or not partition.isdecimal() or not offset.isdecimal():
            raise ValueError(f"a position is written partition:offset, for example 0:42, not {text!r}")
        return cls(int(partition), int(offset))
