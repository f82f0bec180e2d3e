"""A model's label is kept only where it is one; of a tenant's messages the model sees nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.learning.evidence import CONVERSIONS, Judge, an_id, react, tell
from tests.projector.conftest import working

from liminal.engine import Engine, EngineOptions
from liminal.engine.request import Delta, Request
from liminal.learning.clusters.labelling import TYPES, Labeller, nearest_texts
from liminal.log.envelope import Meta
from liminal.log.events import ClusterFormed, ClusterLabelled
from liminal.log.log import Log
from liminal.projector.resources import open_resources
from liminal.settings import Settings

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "tests" / "parity" / "golden" / "models" / "llama"


@pytest.fixture
async def log(settings: Settings) -> AsyncGenerator[Log]:
    """A log with its read models at work."""
    async with Log.open(settings) as log, open_resources(settings) as resources, working(resources):
        yield log


@pytest.fixture(scope="session")
async def engine() -> AsyncGenerator[Engine]:
    """A real engine with random weights, which says nothing that makes sense."""
    options = EngineOptions(slots=1, context=256, warm=False, compiled=ROOT / ".cache" / "compiled")
    engine = Engine.load(MODEL, options)
    yield engine
    await engine.aclose()


class Overheard:
    """A backend whose requests are listened to."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.heard: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def generate(self, request: Request) -> AsyncIterator[Delta]:
        self.heard.append(str(request.messages))
        return self._engine.generate(request)


async def a_cluster(log: Log, scope: str, words: Sequence[str], judge: Judge) -> None:
    """A cluster of somebody's questions that is called by its words."""
    questions = [f"{question} for Waldemar" for question in CONVERSIONS[:4]]
    await tell(log, judge.likes(questions))
    subject = str(judge.id) if scope == "user" else judge.tenant
    cluster_id = an_id("cluster", scope)
    members = [an_id(judge.name, "feedback", number, "thumb") for number in range(1, 5)]
    meta = Meta(owner=subject, tenant=judge.tenant, actor="gather", stream=f"cluster-{cluster_id}")
    formed = ClusterFormed.model_validate(
        {
            "cluster_id": cluster_id,
            "run_id": an_id("run"),
            "scope": scope,
            "subject": subject,
            "members": members,
        }
    )
    named = ClusterLabelled(cluster_id=cluster_id, label=", ".join(words), source="words", words=list(words))
    await tell(log, [(formed, meta), (named, meta)])


@pytest.mark.parametrize("scope", ["user", "tenant"])
async def test_what_makes_no_sense_does_not_become_a_label(log: Log, engine: Engine, scope: str) -> None:
    backend = Overheard(engine)
    await a_cluster(log, scope, ["convert", "kilometres"], Judge("ada"))
    await react(log, Labeller(log, backend).handle, TYPES)  # pyright: ignore[reportArgumentType]
    (row,) = await log.pool.fetch("SELECT label, label_source FROM read.clusters")
    assert (row["label"], row["label_source"]) == ("convert, kilometres", "words")
    (heard,) = backend.heard
    assert ("Waldemar" in heard) == (scope == "user"), "of a tenant's messages the model sees words alone"
    assert "kilometres" in heard


async def test_a_cluster_that_has_other_words_by_now_is_left_to_the_later_event(
    log: Log, engine: Engine
) -> None:
    backend = Overheard(engine)
    await a_cluster(log, "user", ["convert"], Judge("ada"))
    later = ClusterLabelled(
        cluster_id=an_id("cluster", "user"), label="miles", source="words", words=["miles"]
    )
    stream = f"cluster-{an_id('cluster', 'user')}"
    meta = Meta(owner=str(Judge("ada").id), tenant="acme", actor="gather", stream=stream)
    await tell(log, [(later, meta)])
    await react(log, Labeller(log, backend).handle, TYPES)  # pyright: ignore[reportArgumentType]
    assert len(backend.heard) == 1


def test_the_model_is_shown_the_texts_with_most_typical_words_each_once() -> None:
    texts = ["Convert miles to kilometres", "What is rain?", "Convert miles to kilometres", "How many miles?"]
    assert nearest_texts(texts, ["miles", "kilometres"])[:2] == [texts[0], texts[3]]
    assert len(nearest_texts(["x" * 1000], [])[0]) == 160
