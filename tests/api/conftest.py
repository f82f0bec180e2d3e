"""One installation for all tests of this folder."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator

import httpx
import pytest
import uvicorn
from tests.api.installation import (
    Belongings,
    Installation,
    Person,
    install,
    make_account,
    post_message,
    post_preference,
    post_skill,
    settings_of,
    signup,
)
from tests.api.trained import post_adapter, post_run

from liminal.api.cli import server_config
from liminal.identity.actor import Role
from liminal.stack.embedded import Services as Stack


@pytest.fixture(scope="session")
async def installation(
    services: Stack, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Installation]:
    """The installation that the tests of this folder share; request rates are off."""
    settings = settings_of(services, tmp_path_factory.mktemp("api") / "home")
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


@pytest.fixture(scope="session")
async def belongings(installation: Installation, admin: Person) -> Belongings:
    """One of everything that an account can own."""
    owner = await signup(installation)
    conversation = (await owner.browser.post("/v1/conversations", json={"title": "private"})).json()["id"]
    message = await post_message(owner, conversation, "a private word about tea")
    feedback = await owner.browser.post(
        f"/v1/messages/{message}/feedback", json={"kind": "thumb", "value": 1}
    )
    assert feedback.status_code == 201, feedback.text
    session = (await owner.browser.get("/v1/auth/sessions")).json()["items"][0]["id"]
    key = (await owner.browser.post("/v1/auth/api-keys", json={"name": "k", "scopes": ["models"]})).json()
    adapter = str(await post_adapter(owner))
    operations = [{"op": "replace", "path": "/guards/adapters", "value": 3}]
    patch = await admin.browser.post(
        "/v1/admin/artifacts/policy.routing/patches", json={"operations": operations}
    )
    assert patch.status_code == 201, patch.text
    return Belongings(
        owner,
        {
            "/v1/conversations/": conversation,
            "/v1/messages/": message,
            "/v1/feedback/": feedback.json()["id"],
            "/v1/auth/sessions/": session,
            "/v1/auth/api-keys/": key["item"]["id"],
            "/v1/admin/accounts/": owner.id,
            "/v1/learned/preferences/": await post_preference(owner, "a private wish"),
            "/v1/learned/skills/": await post_skill(owner, "a private skill"),
            "/v1/admin/skills/": await post_skill(owner, "a private shared skill", scope="tenant"),
            "/v1/adapters/": adapter,
            "/v1/admin/adapters/": adapter,
            "/v1/admin/training/": str(await post_run(owner, uuid.UUID(adapter), 2)),
            "/v1/admin/messages/": message,
            "/v1/admin/patches/": patch.json()["id"],
        },
    )


@pytest.fixture(scope="session")
async def callers(installation: Installation, admin: Person) -> dict[str, httpx.AsyncClient]:
    """Everybody who may not, by name."""
    tenant = str(uuid.uuid4())
    suspended = await signup(installation)
    await installation.services.identity.accounts.suspend(uuid.UUID(suspended.id), by="test")
    narrow = await signup(installation)
    made = await narrow.browser.post("/v1/auth/api-keys", json={"name": "k", "scopes": ["models"]})
    return {
        "nobody": installation.client(),
        "garbage": installation.client(Authorization="Bearer lik_garbage"),
        "user": (await signup(installation)).browser,
        "foreign user": (await make_account(installation, Role.USER, tenant)).browser,
        "foreign admin": (await make_account(installation, Role.ADMIN, tenant)).browser,
        "admin": admin.browser,
        "suspended": suspended.browser,
        "key without scope": installation.client(Authorization=f"Bearer {made.json()['key']}"),
    }


@pytest.fixture(scope="session")
async def server(installation: Installation) -> AsyncGenerator[str]:
    """The application behind a real uvicorn, as `liminal api` runs it; its address."""
    config = server_config(installation.app, installation.settings, port=0, loop="none", lifespan="off")
    running = uvicorn.Server(config)
    task = asyncio.create_task(running.serve())
    async with asyncio.timeout(10):
        while not running.started:  # noqa: ASYNC110 - uvicorn offers no event to wait for
            await asyncio.sleep(0.01)
    port = running.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    running.should_exit = True
    await task
