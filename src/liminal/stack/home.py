"""A stack's home: its lock makes it one supervisor's own, its run.json says where things answer."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO, TypedDict

from liminal.stack.errors import HomeInUse, StackError


class ChildRun(TypedDict):
    """A child in run.json; ``started`` is its start time in clock seconds, which tells it from a stranger
    who later got the same pid."""

    pid: int
    started: float
    state: str
    restarts: int


@dataclass(frozen=True)
class Run:
    """What run.json holds while a stack runs.

    urls: settings field → address (database_url, kafka_bootstrap_servers, redis_url, web).
    ports: port name → number, preferred again by the next start.
    """

    pid: int
    urls: dict[str, str] = field(default_factory=dict[str, str])
    ports: dict[str, int] = field(default_factory=dict[str, int])
    children: dict[str, ChildRun] = field(default_factory=dict[str, ChildRun])


def write_run(home: Path, run: Run) -> None:
    """Replace run.json at once; it holds passwords, so only its owner reads it."""
    new = home / "run.json.new"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(run), file, indent=2)
    new.replace(home / "run.json")


def last_run(home: Path) -> Run | None:
    """What the last stack in this home wrote, running or not."""
    try:
        return Run(**json.loads((home / "run.json").read_text()))
    except FileNotFoundError:
        return None


def running(home: Path) -> Run | None:
    """The run of the stack that holds this home now; None when none does."""
    try:
        with (home / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return last_run(home)
    return None


@contextlib.contextmanager
def locked(home: Path, patience: float = 1.0) -> Generator[None]:
    """Hold this home. Raises HomeInUse when another supervisor still does after ``patience`` seconds.

    The kernel drops the lock with the process, however it ends; children don't inherit it.
    """
    with _lock_file(home) as file:
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # `running` holds the lock for an instant when it looks
                if time.monotonic() > end:
                    run = last_run(home)
                    where = f" (pid {run.pid})" if run else ""
                    raise HomeInUse(
                        f"another stack runs in {home}{where}; stop it, or set another LIMINAL_HOME",
                        home=str(home),
                    ) from None
                time.sleep(0.02)
        yield


def _lock_file(home: Path) -> BinaryIO:
    try:
        # it holds passwords, keys and everybody's data
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        return (home / "lock").open("ab")
    except OSError as error:
        raise StackError(
            f"LIMINAL_HOME can't be used: {error.strerror}: {error.filename}", home=str(home)
        ) from error
