"""A figure: what was measured, what it should be, and on which machine.

A room's benchmark is a Typer command that ends with ``report(figures, json)`` and has a row in
``liminal.bench.cli.BENCHES``.
"""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import orjson
import psutil
import typer
from rich.console import Console
from rich.table import Table

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program instead of a table.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure.

    Attributes:
        name: what was measured.
        value: the figure.
        unit: of value and baseline: ``ev/s``, ``ms``, ``MiB``.
        goal: what it should be, as text: ``≥ 30,000``; None where it is only worth knowing.
        met: whether it is so; None without a goal.
        baseline: a comparable figure of the same run.
        ratio: value divided by baseline.
        command: what to run to measure it again.
        machine: where it was measured.
    """

    name: str
    value: float
    unit: str
    goal: str | None = None
    met: bool | None = None
    baseline: float | None = None
    ratio: float | None = None
    command: str = field(default_factory=lambda: command_line())
    machine: str = field(default_factory=lambda: machine())

    def at_least(self, goal: float) -> Figure:
        """The figure with a goal that it should reach."""
        return replace(self, goal=f"≥ {goal:,g}", met=self.value >= goal)

    def at_most(self, goal: float) -> Figure:
        """The figure with a goal that it should not exceed."""
        return replace(self, goal=f"≤ {goal:,g}", met=self.value <= goal)

    def against(self, baseline: float) -> Figure:
        """The figure beside one that was measured in the same run."""
        return replace(self, baseline=baseline, ratio=self.value / baseline if baseline else None)


def command_line() -> str:
    """The command that runs now, as it would be typed."""
    return shlex.join(["liminal", *(word for word in sys.argv[1:] if word != "--json")])


@cache
def machine() -> str:
    """Cores, processor, memory, system and Python of this machine."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    memory = psutil.virtual_memory().total / 2**30
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    return f"{cores} cores {_processor()}, {memory:.0f} GiB, {system}, Python {platform.python_version()}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the least value that ``share`` (0 to 1) of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000 * len(ordered)) // 1000) - 1))]


def report(figures: Sequence[Figure], json: bool) -> None:
    """Print figures as a table, or as JSON."""
    if json:
        rows: list[dict[str, Any]] = [asdict(figure) for figure in figures]
        typer.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("figure", "value", "unit", "goal", "met", "baseline", "ratio"):
        table.add_column(column, justify="right" if column in ("value", "baseline", "ratio") else "left")
    for figure in figures:
        table.add_row(
            figure.name,
            _number(figure.value),
            figure.unit,
            figure.goal or "",
            {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[figure.met],
            "" if figure.baseline is None else _number(figure.baseline),
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
        )
    console = Console()
    console.print(table)
    console.print(f"[dim]{machine()}[/]")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"
