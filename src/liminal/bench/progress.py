"""Progress of what takes longer than two seconds, on standard error: standard output is for figures alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

EVERY = 2.0
"""Seconds between lines where no terminal shows a bar."""


@contextmanager
def progress_bar(description: str) -> Generator[Callable[[int, int], None]]:
    """A bar that is told how many are done, of how many; now and then a line where no terminal shows it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(console, description)
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _lines(console: Console, description: str) -> Callable[[int, int], None]:
    due = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal due
        if time.monotonic() >= due or done == total:
            due = time.monotonic() + EVERY
            console.print(f"{description}: {done} of {total}")

    return show
