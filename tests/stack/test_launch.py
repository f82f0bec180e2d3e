"""A child lives no longer than its supervisor, whatever it is doing."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.stack.running import wait_until

from liminal.stack.child import Child, Step
from liminal.stack.errors import ChildFailed
from liminal.stack.home import ChildRun
from liminal.stack.supervisor import State, Supervisor, end_leftovers

SLEEP = (sys.executable, "-S", "-c", "import time; time.sleep(600)")


def always() -> bool:
    return True


def never() -> bool:
    return False


def test_a_first_step_that_fails_fails_the_child_with_its_last_words(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    supervisor.add(
        [Child("lame", SLEEP, never, first=lambda: (Step(("/bin/sh", "-c", "echo no disk; exit 7")),))]
    )
    with pytest.raises(
        ChildFailed, match=r"lame ended before it was ready: no disk \| /bin/sh ended with status 7"
    ):
        supervisor.start()
    supervisor.stop()


def test_a_child_that_is_optional_may_fail_and_is_named(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    supervisor.add([Child("lame", ("/bin/false",), never, optional=True), Child("sound", SLEEP, always)])
    assert supervisor.start() == ["lame"]
    supervisor.stop()


def test_children_start_after_and_stop_before_those_they_need(tmp_path: Path) -> None:
    order: list[str] = []
    supervisor = Supervisor(tmp_path)

    def row(name: str, *after: str) -> Child:
        return Child(name, SLEEP, always, first=lambda: order.append(name) or (), after=after)

    supervisor.add([row("api", "projector"), row("projector", "kafka"), row("kafka")])
    supervisor.start()
    assert order == ["kafka", "projector", "api"]
    ended = {name: psutil.Process(child["pid"]) for name, child in supervisor.children().items()}
    supervisor.stop()
    assert not any(process.is_running() for process in ended.values())


def test_restarts_come_ever_later(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    supervisor.add([Child("short", ("/bin/true",), never)])
    row = supervisor.table["short"]
    pauses: list[float] = []
    end = time.monotonic() + 30
    while len(pauses) < 3 and time.monotonic() < end:
        before = row.failures
        supervisor.tick()
        if row.failures > before:
            pauses.append(round(row.restart_at - time.monotonic(), 1))
        time.sleep(0.01)
    supervisor.stop()
    assert pauses == [0.5, 1.0, 2.0]


def test_leftovers_of_a_killed_stack_are_ended_but_not_strangers_with_their_pid(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    supervisor.add([Child("left", SLEEP, always), Child("stranger", SLEEP, always)])
    supervisor.start()
    run = supervisor.children()
    run["stranger"] = ChildRun(**{**run["stranger"], "started": run["stranger"]["started"] - 60})
    assert end_leftovers(run) == ["left"]
    wait_until(lambda: supervisor.tick() or supervisor.table["left"].state is not State.READY)
    assert supervisor.table["stranger"].state is State.READY
    supervisor.stop()
