"""A stack under its real supervisor, as a person starts it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from tests.processes import SMALL_MODEL

from liminal.settings import PREFIX, SERVICE_VARIABLES
from liminal.stack.home import Run, running

CACHE = Path(__file__).parents[2] / ".cache"
PATIENCE = 300.0


def clean_environment(**variables: str) -> dict[str, str]:
    """The environment without any setting of liminal but these, and the small model for tests."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(PREFIX) and name not in SERVICE_VARIABLES.values()
    }
    return {**kept, "LIMINAL_CACHE": str(CACHE), "LIMINAL_MODEL": str(SMALL_MODEL), **variables}


def liminal(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run one command of liminal to its end."""
    return subprocess.run(
        [sys.executable, "-m", "liminal.cli", *arguments],
        env=clean_environment(**variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def wait_until(happened: Callable[[], object], patience: float = PATIENCE) -> None:
    """Return when it happened; fail when it did not in time."""
    end = time.monotonic() + patience
    while not happened():
        assert time.monotonic() < end, f"it did not happen within {patience:g} s"
        time.sleep(0.05)


@dataclass
class Stack:
    """One `liminal up` in a home of its own, without the processes named."""

    home: Path
    without: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict[str, str])
    process: subprocess.Popen[str] | None = None

    @property
    def output(self) -> str:
        """What the supervisor has said since the last start."""
        return (self.home.parent / f"{self.home.name}.out").read_text()

    @property
    def run(self) -> Run:
        """What run.json says while the stack runs."""
        run = running(self.home)
        assert run, "no stack runs"
        return run

    def start(self) -> None:
        """Start, and wait for the address."""
        left_out = [word for name in self.without for word in ("--without", name)]
        with (self.home.parent / f"{self.home.name}.out").open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "liminal.cli", "up", *left_out],
                env=clean_environment(
                    LIMINAL_HOME=str(self.home), LIMINAL_LOG_FORMAT="json", **self.environment
                ),
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        wait_until(lambda: "liminal is up" in self.output or self._ended())
        assert "liminal is up" in self.output, self.output

    def events(self, name: str) -> list[dict[str, Any]]:
        """The supervisor's log lines of one event, in order."""
        lines = [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def family(self) -> list[psutil.Process]:
        """Every process of the stack but the supervisor."""
        assert self.process
        return psutil.Process(self.process.pid).children(recursive=True)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor alone and wait for its end."""
        assert self.process
        self.process.send_signal(number)
        self.process.wait(PATIENCE)

    def kill_everything(self) -> None:
        """kill -9 of the supervisor and all its processes."""
        assert self.process
        victims = [*self.family(), psutil.Process(self.process.pid)]
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.suspend()
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
        psutil.wait_procs(victims, timeout=10)

    def _ended(self) -> bool:
        assert self.process
        return self.process.poll() is not None
