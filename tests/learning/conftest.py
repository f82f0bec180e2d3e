"""One installation with the bundled model for all tests of learning."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.api.installation import Installation, Person, install, settings_of, signup
from tests.processes import SMALL_MODEL, working

from liminal.learning.adapters.watch_worker import watch_app
from liminal.learning.training.worker import learn_app
from liminal.stack.embedded import Services as Stack

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
async def school(services: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Installation]:
    """The installation of this folder, without workers."""
    settings = settings_of(
        services,
        tmp_path_factory.mktemp("school") / "home",
        cache=ROOT / ".cache",
        model=str(SMALL_MODEL),
        slots=2,
        context=512,
        compile_ahead=False,
    )
    settings.home.mkdir(parents=True)
    async with install(settings, services) as installation:
        yield installation


@pytest.fixture(scope="session")
async def admin(school: Installation) -> Person:
    """The admin: the first who signed up."""
    return await signup(school)


@pytest.fixture
async def person(school: Installation, admin: Person) -> Person:
    """Somebody new."""
    return await signup(school)


@pytest.fixture(scope="session")
async def learning(school: Installation) -> AsyncGenerator[None]:
    """The learn reaction at work, in this process: those that are killed are processes of their own."""
    async with learn_app(school.settings) as app:
        await app.start()
        yield
        await app.stop()


@pytest.fixture(scope="session")
async def watching(school: Installation) -> AsyncGenerator[None]:
    """The watch reaction at work."""
    async with watch_app(school.settings) as app:
        await app.start()
        yield
        await app.stop()


@pytest.fixture(scope="session")
async def answering(school: Installation) -> AsyncGenerator[None]:
    """One worker that answers."""
    async with working(school.settings, "consumers.respond"):
        yield
