"""Start children in order, keep them running, stop them in order.

A loop of short ticks on the thread that owns the children: each tick moves every child one step along
waiting → starting → ready, and a child that ended to backoff. Linux ties a child to the thread that
started it, so that thread must be one that lives as long as the supervisor: the main one.
"""

from __future__ import annotations

import contextlib
import enum
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import psutil
import structlog

from liminal.stack.child import Child, launch_command
from liminal.stack.errors import ChildFailed
from liminal.stack.home import ChildRun

log = structlog.get_logger("liminal.stack")

TICK = 0.05
READY_WITHIN = 120.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
STEADY_AFTER = 60.0
LOG_LIMIT = 16 * 2**20


class State(enum.Enum):
    """Where a child is."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    BACKOFF = "backoff"
    STOPPED = "stopped"


@dataclass
class Running:
    """A child with its process.

    since: when its state began, and restart_at when backoff ends, on the monotonic clock.
    started: when its process began, in clock seconds. served: whether it was ever ready.
    failures: ends since it last was steady.
    """

    child: Child
    state: State = State.WAITING
    process: subprocess.Popen[bytes] | None = None
    since: float = 0.0
    started: float = 0.0
    served: bool = False
    failures: int = 0
    restarts: int = 0
    restart_at: float = 0.0


def ignore() -> None:
    """Do nothing with a change."""


class Supervisor:
    """Runs a table of children; their output goes to ``logs/<name>.log``.

    ``on_change`` is called after every tick that changed a child's state.
    """

    def __init__(self, logs: Path, on_change: Callable[[], None] = ignore) -> None:
        self.table: dict[str, Running] = {}
        self._logs = logs
        self._on_change = on_change
        self._changed = False
        self._steps = {
            State.WAITING: self._waiting,
            State.STARTING: self._starting,
            State.READY: self._ready,
            State.BACKOFF: self._backoff,
            State.STOPPED: self._stopped,
        }

    def add(self, children: Sequence[Child]) -> None:
        """Put children into the table; the next tick starts those that wait for nobody."""
        self.table.update((child.name, Running(child)) for child in children)
        for child in children:
            unknown = [name for name in child.after if name not in self.table]
            if unknown:
                raise ValueError(f"{child.name} comes after {unknown}, which are not in the table")

    def children(self) -> dict[str, ChildRun]:
        """What run.json says of the children that were started."""
        return {
            name: ChildRun(
                pid=row.process.pid, started=row.started, state=row.state.value, restarts=row.restarts
            )
            for name, row in self.table.items()
            if row.process
        }

    def start(self, timeout: float = READY_WITHIN) -> list[str]:
        """Tick until every child answers, or, if it is optional, has ended once; returns those that ended.

        Raises ChildFailed when another ended before it answered even once, or the time is over.
        """
        end = time.monotonic() + timeout
        while True:
            self.tick()
            failed = [row for row in self.table.values() if row.state is State.BACKOFF and not row.served]
            for row in failed:
                if not row.child.optional:
                    reason = f"{row.child.name} ended before it was ready: {self._last_words(row)}"
                    raise ChildFailed(reason, child=row.child.name)
            late = [name for name, row in self.table.items() if not row.served and not row.failures]
            if not late:
                return [name for name, row in self.table.items() if not row.served]
            if time.monotonic() > end:
                raise ChildFailed(f"{', '.join(late)} did not answer within {timeout:g} s", children=late)
            time.sleep(TICK)

    def tick(self) -> None:
        """Move every child one step; never waits for one."""
        for row in self.table.values():
            self._steps[row.state](row)
        self._tell()

    def stop(self) -> None:
        """Stop the children, each before those that it comes after; the impatient end is SIGKILL."""
        left = [row for row in self.table.values() if row.process]
        while left:
            needed = {name for row in left for name in row.child.after}
            group = [row for row in left if row.child.name not in needed]
            for row in group:
                self._signal(row, row.child.stop_signal)
            for row in group:
                self._wait(row)
            left = [row for row in left if row not in group]
        self._tell()

    def kill(self) -> None:
        """End every child at once, without asking."""
        for row in self.table.values():
            if row.process and row.process.poll() is None:
                row.process.kill()

    def _tell(self) -> None:
        if self._changed:
            self._changed = False
            self._on_change()

    def _wait(self, row: Running) -> None:
        assert row.process
        try:
            row.process.wait(row.child.stop_within)
        except subprocess.TimeoutExpired:
            log.warning("child killed", child=row.child.name, patience_s=row.child.stop_within)
            row.process.kill()
            row.process.wait()
        self._move(row, State.STOPPED)

    def _signal(self, row: Running, number: signal.Signals) -> None:
        assert row.process
        with contextlib.suppress(ProcessLookupError):
            row.process.send_signal(number)

    def _waiting(self, row: Running) -> None:
        if all(self.table[name].state is State.READY for name in row.child.after):
            self._launch(row)

    def _starting(self, row: Running) -> None:
        if self._ended(row):
            return
        with contextlib.suppress(OSError):
            if row.child.ready():
                log.info("child ready", child=row.child.name, seconds=round(time.monotonic() - row.since, 2))
                row.served = True
                self._move(row, State.READY)

    def _ready(self, row: Running) -> None:
        if not self._ended(row) and time.monotonic() - row.since > STEADY_AFTER:
            row.failures = 0

    def _backoff(self, row: Running) -> None:
        if time.monotonic() >= row.restart_at:
            row.restarts += 1
            self._launch(row)

    def _stopped(self, row: Running) -> None:
        pass

    def _ended(self, row: Running) -> bool:
        """Notice an end; the next start comes after 0.5 s, then 1, 2, … up to 30 s."""
        assert row.process
        status = row.process.poll()
        if status is None:
            return False
        pause = min(FIRST_PAUSE * 2**row.failures, LONGEST_PAUSE)
        row.failures += 1
        row.restart_at = time.monotonic() + pause
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        log.warning(
            "child ended", child=row.child.name, how=how, restart_in_s=pause, last=self._last_words(row)
        )
        self._move(row, State.BACKOFF)
        return True

    def _launch(self, row: Running) -> None:
        child = row.child
        command = launch_command(
            child.command, orphan_signal=child.orphan_signal, user=child.user, first=child.first()
        )
        with self._open_log(child.name) as output:
            row.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **child.environment},
                pass_fds=child.descriptors,
            )
        with contextlib.suppress(psutil.NoSuchProcess):
            row.started = psutil.Process(row.process.pid).create_time()
        log.info("child started", child=child.name, pid=row.process.pid)
        self._move(row, State.STARTING)

    def _move(self, row: Running, state: State) -> None:
        row.state, row.since, self._changed = state, time.monotonic(), True

    def log_file(self, name: str) -> Path:
        """Where a child's output goes."""
        return self._logs / f"{name}.log"

    def _open_log(self, name: str) -> BinaryIO:
        self._logs.mkdir(parents=True, exist_ok=True)
        file = self.log_file(name)
        if file.exists() and file.stat().st_size > LOG_LIMIT:
            file.replace(file.with_suffix(".log.1"))
        return file.open("ab")

    def _last_words(self, row: Running) -> str:
        """The end of the child's log."""
        file = self.log_file(row.child.name)
        with file.open("rb") as handle:
            handle.seek(max(0, file.stat().st_size - 4000))
            lines = [line.strip() for line in handle.read().decode(errors="replace").splitlines()]
        text = " | ".join([line for line in lines if line][-2:])[-500:]
        return f"{text or 'it said nothing'} ({file})"


def end_leftovers(children: Mapping[str, ChildRun], patience: float = 10.0) -> list[str]:
    """Kill what a dead supervisor left running, with its descendants; returns the names that were found.

    A pid counts only with its start time, so that a stranger who got the number is left alone.
    """
    found: list[str] = []
    victims: list[psutil.Process] = []
    for name, child in children.items():
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(child["pid"])
            if (
                abs(process.create_time() - child["started"]) < 0.02
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                victims += [process, *process.children(recursive=True)]
                found.append(name)
    for process in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(victims, timeout=patience)
    return found
