"""One installation for all tests of this folder."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator

import pytest
from tests.api.installation import PARTITIONS, Installation, Person, install, signup

from liminal.settings import read_settings
from liminal.stack.embedded import Services as Stack


@pytest.fixture(scope="session")
async def installation(
    services: Stack, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Installation]:
    """The installation that the tests of this folder share; request rates are off."""
    settings = read_settings(
        home=tmp_path_factory.mktemp("api") / "home",
        kafka_bootstrap_servers=services.kafka_bootstrap_servers,
        redis_url=services.redis_url,
        topic=f"t.{uuid.uuid4().hex[:12]}",
        partitions=PARTITIONS,
        rate_factor=0,
    )
    async with install(settings, services) as made:
        yield made


@pytest.fixture(scope="session")
async def founders(installation: Installation) -> list[Person]:
    """Six accounts that signed up at the same moment on the fresh system."""
    return await asyncio.gather(*(signup(installation) for _ in range(6)))


@pytest.fixture(scope="session")
async def admin(founders: list[Person]) -> Person:
    """The admin of the installation."""
    return next(person for person in founders if person.account["role"] == "admin")


@pytest.fixture
async def person(installation: Installation, founders: list[Person]) -> Person:
    """A plain user of the system tenant, made for this test."""
    return await signup(installation)


@pytest.fixture
async def stranger(installation: Installation, founders: list[Person]) -> Person:
    """Another plain user of the same tenant."""
    return await signup(installation)
