"""The stack that tests of one module share."""

from __future__ import annotations

import signal
from collections.abc import Generator

import pytest
from tests.stack.running import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stack]:
    """A stack under its real supervisor, as a person starts it."""
    stack = Stack(tmp_path_factory.mktemp("stack") / "a höme")
    stack.start()
    yield stack
    if stack.process and stack.process.poll() is None:
        stack.send(signal.SIGTERM)
