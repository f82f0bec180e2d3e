"""Processes of liminal beside a test, on its installation, to be asked, stopped and killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from liminal.settings import Settings, variable

ROOT = Path(__file__).parents[1]
SMALL_MODEL = ROOT / "src/liminal/engine/bundled/model"
"""A model of two million parameters, made for tests: quick, and knows only what it was taught."""
START = 240
"""Seconds that a process may take to compile its programs, the first time on a busy machine."""
SHARED = (
    *("slots", "context", "home", "cache", "database_url", "kafka_bootstrap_servers", "redis_url"),
    *("topic", "model", "rate_factor", "compile_ahead"),
)
"""Settings that the processes of one installation have in common."""


def environment_of(settings: Settings) -> dict[str, str]:
    """The settings as a process of its own gets them."""
    return {**os.environ, **{variable(name): str(getattr(settings, name)) for name in SHARED}}


@asynccontextmanager
async def working(
    settings: Settings, module: str, *arguments: str, **more: str
) -> AsyncGenerator[subprocess.Popen[bytes]]:
    """``python -m module arguments``, once it serves; stopped at the end. ``more``: variables of its own."""
    ready = settings.home / f"ready-{uuid.uuid4().hex}"
    process = subprocess.Popen(  # noqa: ASYNC220  it is waited for by its pid, and killed
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**environment_of(settings), "LIMINAL_READY_FILE": str(ready), **more},
        pass_fds=[int(fd)] if (fd := more.get("LIMINAL_WEB_FD")) else [],
    )
    try:
        until = time.monotonic() + START
        while not ready.exists():
            assert process.poll() is None, f"{module} ended"
            assert time.monotonic() < until, f"{module} did not start"
            await asyncio.sleep(0.1)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(process.wait, 15)
        process.kill()
        process.wait()
