"""An open log with a topic and a database of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from tests.log.helpers import Person

from liminal.log import Log
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
