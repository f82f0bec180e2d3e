"""How a process without a port says that it serves: it creates the file of LIMINAL_READY_FILE."""

from __future__ import annotations

from pathlib import Path

from liminal.memory import give_memory_back
from liminal.settings import Settings


def announce_ready(settings: Settings) -> None:
    """Say that this process serves now; without LIMINAL_READY_FILE nobody asked."""
    give_memory_back()
    if settings.ready_file:
        settings.ready_file.parent.mkdir(parents=True, exist_ok=True)
        settings.ready_file.touch()


def withdraw_ready(file: Path) -> None:
    """Forget what an earlier process said."""
    file.unlink(missing_ok=True)
