"""Evidence becomes clusters and skills, once, whoever dies on the way; and it can all be had again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.learning.evidence import CONVERSIONS, COOKING, Judge, Killed, gathering, tell
from tests.processes import environment_of
from tests.projector.conftest import working

from liminal.learning.clusters.embeddings import Embeddings
from liminal.learning.clusters.gather import Gatherer
from liminal.learning.clusters.recompute import recompute
from liminal.learning.clusters.workshop import Workshop
from liminal.log.events import ErasureCompleted
from liminal.log.log import Log
from liminal.projector.resources import Resources, open_resources
from liminal.projector.scratch import drop_scratch, fold_until
from liminal.settings import Settings, read_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
async def workshop() -> AsyncGenerator[Workshop]:
    """The child process that embeds and clusters, once for all tests."""
    shop = Workshop(read_settings(cache=ROOT / ".cache"))
    yield shop
    await shop.aclose()


@asynccontextmanager
async def installed(settings: Settings) -> AsyncGenerator[tuple[Log, Resources]]:
    """A log with its read models at work."""
    async with Log.open(settings) as log, open_resources(settings) as resources, working(resources):
        yield log, resources


async def clusters(log: Log) -> list[dict[str, Any]]:
    """All clusters with their members, as far as they are the same in every run."""
    rows = await log.pool.fetch(
        """SELECT cluster_id, scope, label, label_source, words, centroid, size, positive, negative, people,
                  ended, (SELECT array_agg(feedback_id ORDER BY feedback_id) FROM read.cluster_members m
                          WHERE m.cluster_id = c.cluster_id) AS members
           FROM read.clusters c ORDER BY scope, cluster_id"""
    )
    return [dict(row) for row in rows]


async def state(log: Log) -> list[list[dict[str, Any]]]:
    """All that gathering leaves, as far as it is the same in every run."""
    queries = (
        "SELECT skill_id, cluster_id, label, state, decided_by, size FROM read.skills ORDER BY skill_id",
        "SELECT subject, feedback_id, x, y, cluster_id FROM read.cluster_points ORDER BY 1, 2",
        "SELECT run_id, scope, algorithm, points, clusters, changes, completed_at IS NOT NULL AS done "
        "FROM read.clustering_runs ORDER BY run_id",
    )
    found = [[dict(row) for row in await log.pool.fetch(query)] for query in queries]
    return [await clusters(log), *found]


def school() -> list[Any]:
    """Ada has a topic and a half; with two others it is the tenant's too. A fourth is of another tenant."""
    ada, bob, cyd, eve = Judge("ada"), Judge("bob"), Judge("cyd"), Judge("eve", "other")
    return [
        ada.likes(CONVERSIONS) + ada.likes(COOKING),
        bob.likes(CONVERSIONS[3:7]),
        cyd.likes(CONVERSIONS[5:8]),
        eve.likes(CONVERSIONS[:3]),
    ]


async def test_topics_become_clusters_and_the_consistent_ones_skills(
    settings: Settings, workshop: Workshop
) -> None:
    async with installed(settings) as (log, _):
        await tell(log, *school())
        async with gathering(log, workshop):
            found = await clusters(log)
        mine = [row for row in found if row["scope"] == "user"]
        assert sorted(row["size"] for row in mine) == [4, 11]
        shared = max((row for row in found if row["scope"] == "tenant"), key=lambda row: row["size"])
        assert (shared["people"], shared["positive"]) == (3, shared["size"])
        assert shared["size"] >= 8
        skills = {row["cluster_id"]: row for row in await log.pool.fetch("SELECT * FROM read.skills")}
        big = {row["cluster_id"] for row in found if row["size"] >= 8}
        assert set(skills) == big, "four pieces on cooking are no skill"
        (own,) = [row for row in skills.values() if row["scope"] == "user"]
        assert (own["state"], own["decided_by"], own["size"]) == ("approved", "rule", 11)
        theirs = skills[shared["cluster_id"]]
        assert (theirs["state"], theirs["thresholds_version"]) == ("proposed", 1)


async def test_a_tenants_labels_hold_only_words_of_several_people(
    settings: Settings, workshop: Workshop
) -> None:
    async with installed(settings) as (log, _):
        ada, bob, cyd = Judge("ada"), Judge("bob"), Judge("cyd")
        secret = [f"{question} of uranium" for question in CONVERSIONS[:6]]
        await tell(log, ada.likes(secret), bob.likes(CONVERSIONS[2:6]), cyd.likes(CONVERSIONS[2:6]))
        async with gathering(log, workshop):
            found = await clusters(log)
        shared = [word for row in found if row["scope"] == "tenant" for word in (*row["words"], row["label"])]
        assert shared
        assert "uranium" not in " ".join(shared)
        await tell(log, ada.likes([f"{question} of uranium" for question in CONVERSIONS[6:10]]))
        async with gathering(log, workshop):
            (own,) = [row for row in await clusters(log) if row["scope"] == "user"]
        assert "uranium" in own["words"]


async def test_a_cluster_keeps_its_identity_when_evidence_comes_and_goes(
    settings: Settings, workshop: Workshop
) -> None:
    async with installed(settings) as (log, _):
        ada = Judge("ada")
        await tell(log, ada.likes(CONVERSIONS[:10]))
        async with gathering(log, workshop):
            (before,) = [row for row in await clusters(log) if row["scope"] == "user"]
        await tell(log, ada.withdraw(1), ada.likes(COOKING), ada.likes(CONVERSIONS[10:]), ada.likes(COOKING))
        async with gathering(log, workshop):
            after = {row["cluster_id"]: row for row in await clusters(log) if row["scope"] == "user"}
        assert after[before["cluster_id"]]["size"] == 10
        assert len(after) == 2


async def test_whoever_floods_a_tenant_stays_in_bounds_and_alone(
    settings: Settings, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liminal.learning.clusters.pieces.MOST_OF_ONE", 6)
    async with installed(settings) as (log, _):
        mallory, bob = Judge("mallory"), Judge("bob")
        flood = [f"Which pills make rich, number {number}?" for number in range(20)]
        await tell(log, mallory.likes(flood), bob.likes(CONVERSIONS[:4]))
        async with gathering(log, workshop):
            run = await log.pool.fetchrow("SELECT points FROM read.clustering_runs WHERE scope = 'tenant'")
            skills = await log.pool.fetch("SELECT scope, subject FROM read.skills")
        assert run is not None
        assert run["points"] == 10
        assert [(row["scope"], row["subject"]) for row in skills] == [("user", str(mallory.id))]


@pytest.fixture(scope="session")
def undisturbed() -> dict[str, Any]:
    """What the first run of the storm leaves, to hold the others against."""
    return {}


STAGES = ("nothing", "decided", "some clusters", "all but completed", "completed", "proposed", "approved")


@pytest.mark.parametrize("stage", STAGES)
async def test_a_worker_that_dies_is_taken_over_and_it_ends_the_same(
    stage: str, settings: Settings, workshop: Workshop, undisturbed: dict[str, Any]
) -> None:
    async with installed(settings) as (log, _):
        await tell(log, Judge("ada").likes(CONVERSIONS[:9] + COOKING[:3]))
        # the events of the first pass: decided, two formed, two labelled, the map, completed; then the skill
        life = {"decided": 1, "some clusters": 3, "all but completed": 6, "completed": 7, "proposed": 8}
        if stage == "nothing":
            async with gathering(log, workshop):
                undisturbed["state"] = await state(log)
            return
        with pytest.raises(Killed):
            async with gathering(log, workshop, life.get(stage, 9)) as mortal:
                assert mortal.life == 0
                raise Killed
        async with gathering(log, workshop):
            assert await state(log) == undisturbed["state"]


async def test_a_pass_that_nobody_completed_is_taken_up_again(
    settings: Settings, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liminal.learning.clusters.gather.STUCK", 0.0)
    async with installed(settings) as (log, _):
        await tell(log, Judge("ada").likes(CONVERSIONS[:10]))
        with pytest.raises(Killed):
            async with gathering(log, workshop, 1):
                raise AssertionError("it lived")
        gatherer = Gatherer(log, workshop)  # who does not get the event again
        await gatherer.catch_up()
        await gatherer.aclose()
        async with gathering(log, workshop):
            (cluster,) = [row for row in await clusters(log) if row["scope"] == "user"]
        assert cluster["size"] == 10


async def test_a_pass_recomputed_from_the_log_alone_is_the_recorded_one(
    settings: Settings, workshop: Workshop
) -> None:
    async with installed(settings) as (log, resources):
        await tell(log, *school())
        async with gathering(log, workshop):
            recorded = await log.pool.fetch(
                "SELECT run_id FROM read.clustering_runs ORDER BY decided_at DESC, run_id"
            )
        assert len(recorded) >= 2
        embeddings = Embeddings(log.pool, await workshop.encoder_name(), workshop.embed)
        assert await embeddings.drop() > 0
        again = await recompute(log, resources, workshop, None, 10)
        assert [(one.run_id, one.same) for one in again] == [(row["run_id"], True) for row in recorded]
        assert await recompute(log, resources, workshop, "nobody", 10) == []


async def liminal(settings: Settings, *arguments: str) -> Any:
    """What a command prints as JSON."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "liminal.cli", *arguments, "--json"],
        env=environment_of(settings),
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode()
    return orjson.loads(done.stdout)


async def test_the_commands_show_it_prove_it_and_make_the_vectors_again(
    settings: Settings, workshop: Workshop
) -> None:
    settings.home.mkdir(parents=True)
    async with installed(settings) as (log, _):
        ada = Judge("ada")
        await tell(log, ada.likes(CONVERSIONS[:10]))
        async with gathering(log, workshop):
            shown = await liminal(settings, "clusters", "list", "--of", str(ada.id))
            assert [(row["scope"], row["size"]) for row in shown] == [("user", 10)]
            runs = await liminal(settings, "clusters", "runs")
            assert {row["scope"] for row in runs} == {"user", "tenant"}
            assert await liminal(settings, "clusters", "rebuild") == {"dropped": 10, "made": 10}
            proven = await liminal(settings, "clusters", "verify")
            assert [one["same"] for one in proven] == [True] * len(runs)


async def test_read_models_that_are_folded_again_show_the_same(
    settings: Settings, workshop: Workshop
) -> None:
    async with installed(settings) as (log, resources):
        await tell(log, *school())
        async with gathering(log, workshop):
            live = await clusters(log)
        ends = {
            row["partition"]: row["offset"]
            for row in await log.pool.fetch("SELECT * FROM read.progress WHERE projection = 'clusters'")
        }
        await fold_until(resources, ends, "again", ["clusters"])
        rows = await log.pool.fetch(
            "SELECT cluster_id, label, centroid, size FROM again.clusters ORDER BY scope, cluster_id"
        )
        await drop_scratch(resources, "again")
        assert [dict(row) for row in rows] == [{name: one[name] for name in dict(rows[0])} for one in live]


async def test_an_erased_account_leaves_no_vector(settings: Settings, workshop: Workshop) -> None:
    async with installed(settings) as (log, _):
        ada = Judge("ada")
        await tell(log, ada.likes(CONVERSIONS[:10]))
        async with gathering(log, workshop):
            assert await log.pool.fetchval("SELECT count(*) FROM derived.embeddings") == 10
        erased = ErasureCompleted(
            erasure_id=ada.id, scope="account", subject=str(ada.id), key_deleted=False, removed={}
        )
        await tell(log, [(erased, ada.meta(f"erasure-{ada.id}"))])
        async with gathering(log, workshop):
            assert await log.pool.fetchval("SELECT count(*) FROM derived.embeddings") == 0


async def test_a_text_has_one_vector_whatever_it_is_embedded_with(workshop: Workshop) -> None:
    alone = await workshop.embed([CONVERSIONS[0]])
    among = await workshop.embed([*COOKING, *CONVERSIONS])
    assert alone[0].tobytes() == among[len(COOKING)].tobytes()
