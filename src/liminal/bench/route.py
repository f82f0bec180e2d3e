"""How long it takes to decide what answers a turn."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from liminal.bench.figures import Figure, Json, percentile, report
from liminal.bench.ground import ground, projector_process, services
from liminal.engine.embedder import Embedder, default_encoder
from liminal.identity.authorize import SYSTEM_TENANT
from liminal.log.envelope import Meta
from liminal.log.events import (
    AdapterCreated,
    AdapterVersionEvaluated,
    AdapterVersionPromoted,
    AdapterVersionTrained,
    BlobRef,
    ClusterFormed,
    Event,
    FeedbackGiven,
    SkillApproved,
    SkillProposed,
)
from liminal.log.ids import new_id
from liminal.log.log import Log
from liminal.projector.resources import open_resources
from liminal.settings import Settings
from liminal.steering.router import Asked, Router

RULES, SKILLS = 8, 6
DIMENSIONS = 384
WARM_UP = 20


def route(turns: Annotated[int, typer.Option(help="Turns of each kind.")] = 300, json: Json = False) -> None:
    """Route turns of an account with a persona and eight rules, then of one with six skills too.

    The second kind embeds each question; both read everything in one query.
    """
    with services() as settings:
        report(asyncio.run(_measure(settings, turns)), json)


async def _measure(settings: Settings, turns: int) -> list[Figure]:
    async with ground(settings, partitions=4) as own, Log.open(own) as log:
        async with open_resources(own):
            pass  # the read models exist before the first event
        async with projector_process(own):
            embedder = Embedder(lambda: default_encoder(own.cache / "compiled"))
            router = Router(log, embedder)
            plain, skilled = new_id(), new_id()
            await _learned(log, plain, skills=0)
            await _learned(log, skilled, skills=SKILLS)
            without = await _route(router, plain, turns)
            within = await _route(router, skilled, turns)
            texts = [f"question number {number}" for number in range(turns)]
            alone = await _time(turns, lambda number: embedder.embed([texts[number]]))
    return [
        Figure(name="route without similarity, p50", value=percentile(without, 0.5), unit="ms").at_most(2),
        Figure(name="route without similarity, p99", value=percentile(without, 0.99), unit="ms"),
        Figure(name="route with six skills, p50", value=percentile(within, 0.5), unit="ms"),
        Figure(name="of which one embedding alone, p50", value=percentile(alone, 0.5), unit="ms"),
    ]


async def _route(router: Router, owner: UUID, turns: int) -> list[float]:
    def once(number: int) -> Any:
        words = f"question number {number}"
        return router.route(Asked(str(owner), SYSTEM_TENANT, new_id(), datetime.now(UTC), words))

    return await _time(turns, once)


async def _time(turns: int, once: Callable[[int], Any]) -> list[float]:
    """Milliseconds of each call, the first ones left out."""
    for number in range(WARM_UP):
        await once(number)
    taken: list[float] = []
    for number in range(turns):
        began = time.perf_counter()
        await once(number)
        taken.append(1000 * (time.perf_counter() - began))
    return taken


async def _learned(log: Log, owner: UUID, *, skills: int) -> None:
    """A persona, rules and skills of one account, folded."""
    events = _adapter(owner, "persona", "persona", None)
    for number in range(RULES):
        feedback_id = new_id()
        given = FeedbackGiven(
            feedback_id=feedback_id,
            conversation_id=new_id(),
            message_id=new_id(),
            kind="always",
            text=f"keep rule number {number}",
        )
        events.append((given, f"feedback-{feedback_id}"))
    for number in range(skills):
        events += _skill(owner, number)
    metas = [
        (event, Meta(owner=str(owner), tenant=SYSTEM_TENANT, actor="bench", stream=stream))
        for event, stream in events
    ]
    await log.wait_for((await log.append_many(metas))[-1], timeout=60)


def _skill(owner: UUID, number: int) -> list[tuple[Event, str]]:
    cluster_id, skill_id = new_id(), new_id()
    whose: dict[str, Any] = {"scope": "user", "subject": str(owner)}
    centroid = [float((place + number) % 7 - 3) for place in range(DIMENSIONS)]
    formed = ClusterFormed(**whose, cluster_id=cluster_id, run_id=new_id(), members=[], centroid=centroid)
    proposed = SkillProposed(
        **whose, skill_id=skill_id, cluster_id=cluster_id, kind="skill", label=f"skill {number}", size=9
    )
    return [
        (formed, f"cluster-{cluster_id}"),
        (proposed, f"skill-{skill_id}"),
        (SkillApproved(skill_id=skill_id, by="rule"), f"skill-{skill_id}"),
        *_adapter(owner, f"skill-{number}", "skill", skill_id),
    ]


def _adapter(owner: UUID, name: str, kind: Any, skill_id: UUID | None) -> list[tuple[Event, str]]:
    adapter_id = new_id()
    stream = f"adapter-{adapter_id}"
    ids: dict[str, Any] = {"adapter_id": adapter_id, "adapter_version": 1}
    made: list[Event] = [
        AdapterCreated(
            adapter_id=adapter_id,
            name=name,
            kind=kind,
            scope="user",
            subject=str(owner),
            skill_id=skill_id,
            base_model="bench",
        ),
        AdapterVersionTrained(
            **ids,
            weights=BlobRef(hash="a" * 64, size=1),
            content_hash=hashlib.sha256(adapter_id.bytes).hexdigest(),
            base_model="bench",
            base_hash="bench",
            rank=8,
            alpha=16,
            targets=["q_proj"],
        ),
        AdapterVersionEvaluated(**ids, passed=True, figures=[], examples=1, seed=0),
        AdapterVersionPromoted(**ids, by="rule"),
    ]
    return [(event, stream) for event in made]
