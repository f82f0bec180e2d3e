"""An installation for the tests of this folder, and people with adapters and turns on its log."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.api.installation import Installation, Person, install, make_account, settings_of, signup

from liminal.chat.answering import Answerer, Decoder, Question
from liminal.chat.routing import Routing
from liminal.engine.backend import Backend
from liminal.engine.embedder import Embedder
from liminal.identity.actor import Role
from liminal.identity.authorize import SYSTEM_TENANT
from liminal.learning.adapters.serving import ServingAdapters
from liminal.log.envelope import Meta
from liminal.log.events import (
    AdapterCreated,
    AdapterSwitched,
    AdapterVersionEvaluated,
    AdapterVersionPromoted,
    AdapterVersionTrained,
    BlobRef,
    ClusterFormed,
    Event,
    FeedbackGiven,
    MessagePosted,
    SkillApproved,
    SkillProposed,
    TurnOptions,
)
from liminal.log.ids import new_id
from liminal.log.log import Log
from liminal.stack.embedded import Services as Stack
from liminal.steering.router import Router
from liminal.storage.blobs import BlobStore


@pytest.fixture(scope="session")
async def installation(
    services: Stack, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Installation]:
    """The installation that the tests of this folder share."""
    settings = settings_of(services, tmp_path_factory.mktemp("steering") / "home")
    async with install(settings, services) as made:
        yield made


@pytest.fixture(scope="session")
def log(installation: Installation) -> Log:
    """The log of the installation."""
    return installation.services.log


@pytest.fixture(scope="session")
async def admin(installation: Installation) -> Person:
    """The admin of the installation: whoever comes first."""
    return await signup(installation)


@pytest.fixture(scope="session")
def embedder(installation: Installation) -> Embedder:
    """The real encoder, loaded once."""
    return installation.services.embedder


@pytest.fixture
def router(log: Log, embedder: Embedder) -> Router:
    """A router that has compiled nothing yet."""
    return Router(log, embedder)


@dataclass
class Somebody:
    """An account with what was learned about it."""

    log: Log
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    tenant: str = SYSTEM_TENANT
    time: datetime | None = None
    """When all this happens; None for now."""

    async def append(self, *events: tuple[Event, str], owner: str | None = None) -> None:
        """Events on streams, folded before this returns."""
        metas = [
            (
                event,
                Meta(
                    owner=owner or self.id, tenant=self.tenant, actor=self.id, stream=stream, time=self.time
                ),
            )
            for event, stream in events
        ]
        await self.log.wait_for((await self.log.append_many(metas))[-1])

    async def adapter(
        self,
        name: str,
        kind: str = "persona",
        *,
        scope: str = "user",
        skill_id: uuid.UUID | None = None,
        passed: bool = True,
    ) -> uuid.UUID:
        """An adapter that was promoted; ``passed`` says whether its gate was."""
        adapter_id = uuid.uuid4()
        subject = self.id if scope == "user" else self.tenant
        ids: dict[str, Any] = {"adapter_id": adapter_id, "adapter_version": 1}
        created = AdapterCreated.model_validate(
            {
                "adapter_id": adapter_id,
                "name": name,
                "kind": kind,
                "scope": scope,
                "subject": subject,
                "skill_id": skill_id,
                "base_model": "base",
            }
        )
        trained = AdapterVersionTrained(
            **ids,
            weights=BlobRef(hash="a" * 64, size=1),
            content_hash=hashlib.sha256(str(adapter_id).encode()).hexdigest(),
            base_model="base",
            base_hash="b",
            rank=1,
            alpha=1.0,
            targets=["q_proj"],
        )
        judged = AdapterVersionEvaluated(**ids, passed=passed, figures=[], examples=1, seed=0)
        promoted = AdapterVersionPromoted(**ids, by="rule")
        stream = f"adapter-{adapter_id}"
        await self.append((created, stream), (trained, stream), (judged, stream), (promoted, stream))
        return adapter_id

    async def switch(self, adapter_id: uuid.UUID, *, active: bool) -> None:
        """Put an adapter off or on."""
        await self.append((AdapterSwitched(adapter_id=adapter_id, active=active), f"adapter-{adapter_id}"))

    async def skill(self, label: str, centroid: Sequence[float]) -> uuid.UUID:
        """A skill with an adapter of its own, whose cluster lies at a place."""
        cluster_id, skill_id = uuid.uuid4(), uuid.uuid4()
        formed = ClusterFormed(
            cluster_id=cluster_id,
            run_id=uuid.uuid4(),
            scope="user",
            subject=self.id,
            members=[],
            centroid=list(centroid),
        )
        proposed = SkillProposed(
            skill_id=skill_id,
            cluster_id=cluster_id,
            kind="skill",
            scope="user",
            subject=self.id,
            label=label,
            size=9,
        )
        await self.append(
            (formed, f"cluster-{cluster_id}"),
            (proposed, f"skill-{skill_id}"),
            (SkillApproved(skill_id=skill_id, by="rule"), f"skill-{skill_id}"),
        )
        await self.adapter(f"skill-{label}", "skill", skill_id=skill_id)
        return skill_id

    async def rule(self, kind: str, text: str) -> uuid.UUID:
        """An always or never rule."""
        feedback_id = uuid.uuid4()
        given = FeedbackGiven.model_validate(
            {
                "feedback_id": feedback_id,
                "conversation_id": uuid.uuid4(),
                "message_id": uuid.uuid4(),
                "kind": kind,
                "text": text,
            }
        )
        await self.append((given, f"feedback-{feedback_id}"))
        return feedback_id

    def question(self, text: str, **options: Any) -> Question:
        """Words to be answered, as an event brings them."""
        return Question(
            new_id(),
            uuid.uuid4(),
            uuid.uuid4(),
            self.id,
            self.tenant,
            TurnOptions.model_validate(options),
            datetime.now(UTC),
            text,
        )

    async def turn(self, answerer: Answerer, text: str, **options: Any) -> tuple[Question, Routing]:
        """A turn as the respond reaction routes it, asked and routed on the log."""
        question = self.question(text, **options)
        routing = await answerer.route(question)
        answer_id = uuid.uuid4()
        posted = MessagePosted(
            conversation_id=question.conversation_id,
            message_id=question.message_id,
            role="user",
            content=text,
            turn_id=question.turn_id,
            assistant_message_id=answer_id,
            options=question.options,
        )
        routed = routing.event(question.conversation_id, question.turn_id, question.message_id, answer_id)
        conversation, turn = f"conversation-{question.conversation_id}", f"turn-{question.turn_id}"
        await self.append((posted, conversation), (routed, turn))
        return question, routing


@pytest.fixture
def somebody(log: Log) -> Somebody:
    """Somebody new."""
    return Somebody(log)


@pytest.fixture
async def foreign_admin(installation: Installation, admin: Person) -> Person:
    """The admin of a tenant of its own."""
    return await make_account(installation, Role.ADMIN, str(uuid.uuid4()))


class NamedBackend:
    """Says which backend it would be: routing asks it nothing else."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.model = f"model of {kind}"


@pytest.fixture
def answerer(log: Log, router: Router) -> Answerer:
    """What routes turns in the respond reaction, over an engine that is not asked to decode."""
    backend: Backend = NamedBackend("jax")  # type: ignore[assignment]
    adapters = ServingAdapters(
        log.pool, BlobStore.open(log.settings), backend, log.settings.home / "adapters"
    )
    return Answerer([Decoder(backend, adapters)], router, log.pool)
