"""Progress of long work, on standard error: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

QUIET = 2.0
"""Seconds of work before the first line, and between lines."""


class Meter:
    """Shows how much of ``total`` is done; ``total`` None while it is not known."""

    def __init__(self, what: str, total: int | None) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._shown = time.monotonic()
        self._begun = self._shown
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TaskProgressColumn(show_speed=True),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._bar.add_task(self._what, total=self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, by: int) -> None:
        """So many more are done."""
        self._done += by
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], by)
            return
        now = time.monotonic()
        if now - self._shown >= QUIET:
            self._shown = now
            rate = self._done / (now - self._begun)
            of = f" of {self._total:,}" if self._total else ""
            print(f"{self._what}: {self._done:,}{of}, {rate:,.0f}/s", file=sys.stderr, flush=True)
