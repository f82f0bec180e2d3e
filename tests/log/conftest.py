"""An open log with a topic and a database of its own, and commands that find it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.log.helpers import Person, Run, use
from typer.testing import CliRunner, Result

from liminal.log import Log
from liminal.log.cli import app
from liminal.settings import Settings


@pytest.fixture
def person() -> Person:
    """Somebody."""
    return Person()


@pytest.fixture
async def log(settings: Settings) -> AsyncGenerator[Log]:
    """A log with a topic and a database of its own."""
    async with Log.open(settings) as opened:
        yield opened


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command; what it raises is raised here."""
    use(monkeypatch, settings)

    async def command(*args: str, stdin: bytes | None = None) -> Result:
        result = await asyncio.to_thread(CliRunner().invoke, app, args, input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result

    return command


@pytest.fixture
def with_master_key(log: Log, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The master key is at hand."""
    monkeypatch.setenv("LIMINAL_MASTER_KEY", (settings.home / "master.key").read_text().strip())


@pytest.fixture
async def fresh(settings: Settings, tmp_path: Path) -> AsyncGenerator[Settings]:
    """Settings of another topic and home, on the same database: the same vault."""
    other = settings.model_copy(update={"topic": f"{settings.topic}.fresh"})
    async with Log.open(other):
        yield other
