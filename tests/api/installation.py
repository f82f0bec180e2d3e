"""An installation under test: real services, a projector, the application, and people who use it."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import asyncpg
import httpx
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from starlette.applications import Starlette

from liminal.api.app import create_app
from liminal.api.services import Services
from liminal.identity.accounts import NewAccount
from liminal.identity.actor import Role
from liminal.identity.authorize import SYSTEM_TENANT
from liminal.log.envelope import Meta
from liminal.log.events import Event, MessagePosted, PreferenceDetected, SkillProposed
from liminal.log.ids import new_id
from liminal.projector.resources import open_resources
from liminal.projector.worker import Worker
from liminal.settings import Settings, read_settings
from liminal.stack.embedded import Services as Stack

PARTITIONS = 4
PASSWORD = "correct horse battery staple"
ORIGIN = "http://localhost"


def settings_of(stack: Stack, home: Path, **more: Any) -> Settings:
    """Settings of an installation on these services, with a topic of its own; request rates are off."""
    return read_settings(
        home=home,
        kafka_bootstrap_servers=stack.kafka_bootstrap_servers,
        redis_url=stack.redis_url,
        topic=f"t.{uuid.uuid4().hex[:12]}",
        partitions=PARTITIONS,
        rate_factor=0,
        **more,
    )


@dataclass
class Installation:
    """An application on a database and a topic of its own."""

    settings: Settings
    services: Services
    app: Starlette

    def client(self, base_url: str = ORIGIN, **headers: str) -> httpx.AsyncClient:
        """A client without any header but those given."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=("127.0.0.1", 40000))
        return httpx.AsyncClient(transport=transport, base_url=base_url, headers=headers)

    def browser(self, base_url: str = ORIGIN) -> httpx.AsyncClient:
        """A client that sends what our own pages send."""
        return self.client(base_url, **{"Origin": base_url, "X-Liminal": "1"})


@dataclass
class Person:
    """Somebody with an account, signed in by a browser."""

    installation: Installation
    browser: httpx.AsyncClient
    account: dict[str, Any]
    password: str = PASSWORD
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    @property
    def email(self) -> str:
        return self.account["email"]

    @property
    def id(self) -> str:
        return self.account["id"]


_numbers = itertools.count(1)


def fresh_email() -> str:
    """An address that no test used."""
    return f"person{next(_numbers)}.{uuid.uuid4().hex[:8]}@example.org"


async def signup(installation: Installation, email: str | None = None) -> Person:
    """A new account, signed in."""
    browser = installation.browser()
    body = {"email": email or fresh_email(), "password": PASSWORD, "display_name": "Somebody"}
    reply = await browser.post("/v1/auth/signup", json=body)
    assert reply.status_code == 201, reply.text
    return Person(installation, browser, reply.json()["account"])


@asynccontextmanager
async def projecting(settings: Settings) -> AsyncGenerator[None]:
    """A worker of the projector at work."""
    async with open_resources(settings) as resources:
        worker = Worker(resources)
        task = asyncio.create_task(worker.run(), name="projector")
        try:
            yield
        finally:
            worker.stop()
            await task


@asynccontextmanager
async def install(settings: Settings, stack: Stack) -> AsyncGenerator[Installation]:
    """Everything that answers a request, on a fresh database and topic."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    owner = await asyncpg.connect(stack.database_url)
    await owner.execute(f'CREATE DATABASE "{name}"')
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka_bootstrap_servers)
    await admin.start()
    configuration = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
    await admin.create_topics([NewTopic(settings.topic, PARTITIONS, 1, topic_configs=configuration)])
    own = settings.model_copy(update={"database_url": stack.database_url.rsplit("/", 1)[0] + "/" + name})
    try:
        async with AsyncExitStack() as exits:
            services = await exits.enter_async_context(Services.open(own))
            await exits.enter_async_context(projecting(own))
            app = create_app(own, services)
            app.state.services = services
            yield Installation(own, services, app)
    finally:
        await admin.delete_topics([settings.topic])
        await admin.close()
        await owner.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await owner.close()


async def post_message(person: Person, conversation_id: str, content: str, **more: Any) -> str:
    """A message as the chat writes it."""
    message_id = new_id()
    event = MessagePosted(
        conversation_id=uuid.UUID(conversation_id),
        message_id=message_id,
        role=more.pop("role", "user"),
        content=content,
        turn_id=new_id(),
        **more,
    )
    meta = Meta(
        owner=person.id,
        tenant=person.account["tenant_id"],
        actor=person.id,
        stream=f"conversation-{conversation_id}",
    )
    log = person.installation.services.log
    await log.wait_for(await log.append(event, meta), "conversations")
    return str(message_id)


async def post_preference(person: Person, statement: str, *, message_id: str | None = None) -> str:
    """A wish as the notice reaction writes it."""
    preference_id = new_id()
    event = PreferenceDetected(
        preference_id=preference_id,
        statement=statement,
        dimension="length",
        value="short",
        detector="rule",
        rule="test",
        confidence=0.5,
        evidence=[message_id] if message_id else [],
    )
    await _post(person, person.id, f"preference-{preference_id}", event, "preferences")
    return str(preference_id)


async def post_skill(person: Person, label: str, scope: Literal["user", "tenant"] = "user") -> str:
    """A proposed skill of somebody, or of their tenant."""
    skill_id = new_id()
    subject = person.id if scope == "user" else person.account["tenant_id"]
    event = SkillProposed(
        skill_id=skill_id,
        cluster_id=new_id(),
        kind="skill",
        scope=scope,
        subject=subject,
        label=label,
        size=9,
    )
    await _post(person, subject, f"skill-{skill_id}", event, "skills")
    return str(skill_id)


async def _post(person: Person, owner: str, stream: str, event: Event, projection: str) -> None:
    meta = Meta(owner=owner, tenant=person.account["tenant_id"], actor="test", stream=stream)
    log = person.installation.services.log
    await log.wait_for(await log.append(event, meta), projection)


async def make_account(installation: Installation, role: Role, tenant: str = SYSTEM_TENANT) -> Person:
    """An account as an operator makes one, signed in."""
    new = NewAccount(fresh_email(), PASSWORD, None, role, tenant, origin="admin")
    account = await installation.services.identity.accounts.create(new)
    browser = installation.browser()
    reply = await browser.post("/v1/auth/login", json={"email": account.email, "password": PASSWORD})
    assert reply.status_code == 200, reply.text
    return Person(installation, browser, reply.json()["account"])


@dataclass
class Belongings:
    """Things of one owner, by the first part of the path that names them."""

    owner: Person
    ids: dict[str, str] = field(default_factory=dict[str, str])
