"""A broker of one's own, to be killed, stopped and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from liminal.stack.embedded import free_port
from liminal.stack.kafka import broker


class OwnBroker:
    """One embedded broker; its data outlives its processes."""

    def __init__(self, home: Path, cache: Path) -> None:
        self.port = free_port()
        self._child = broker(home, cache, self.port, free_port())
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def servers(self) -> str:
        """Where it answers when it runs."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and return when it answers."""
        for step in self._child.first():
            subprocess.run(step.command, check=True, capture_output=True)
        self._process = subprocess.Popen(
            self._child.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < deadline, "the broker does not start"
            assert self._process.poll() is None, "the broker ended"
            time.sleep(0.05)

    def kill(self) -> None:
        """kill -9."""
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def freeze(self) -> None:
        """Leave its connections open and answer nothing."""
        self._signal(signal.SIGSTOP)
        assert self._process is not None
        # the signal is only sent: on a busy machine threads answer on until each has seen it
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def thaw(self) -> None:
        """Go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _answers(self) -> bool:
        try:
            return self._child.ready()
        except OSError:
            return False
