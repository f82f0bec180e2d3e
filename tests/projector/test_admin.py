"""What an operator sees and does, as the admin API does it."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.projector.conftest import caught_up
from tests.projector.people import Person
from tests.projector.test_parked import BOMB, DEFUSE

from liminal.log.ids import new_id
from liminal.log.log import Log
from liminal.projector.admin import Projections
from liminal.projector.rebuild import plan_rebuild, read_progress
from liminal.projector.resources import Resources
from liminal.projector.worker import Worker


async def _finished(projections: Projections, name: str) -> dict[str, Any]:
    while True:
        progress = await projections.rebuild_progress(name)
        if progress["state"] != "running":
            return progress
        await asyncio.sleep(0.1)


async def test_a_rebuild_in_a_process_of_its_own_is_watched_and_switched_to(
    log: Log, resources: Resources, worker: Worker
) -> None:
    ada = Person()
    await log.append_many([ada.say(new_id(), "words") for _ in range(20)])
    await caught_up(resources)
    projections = Projections.of_log(log)
    assert (await projections.rebuild_progress("turns"))["state"] == "none"
    await projections.rebuild("turns")
    progress = await _finished(projections, "turns")
    assert (progress["state"], progress["done"], progress["error"]) == ("ready", 20, None)
    states = [version["state"] for version in (await projections.get("turns"))["versions"]]
    assert states == ["live", "ready"]
    described = await projections.switch("turns")
    assert [version["state"] for version in described["versions"]] == ["retired", "live"]
    assert described["lag_events"] == 0
    assert (await projections.verify("turns"))["equal"]


async def test_a_rebuild_whose_process_is_gone_has_failed(log: Log, resources: Resources) -> None:
    plan = await plan_rebuild(resources, ["turns"])
    assert (await read_progress(resources, plan.id)).state == "running"
    await log.pool.execute("UPDATE liminal.rebuilds SET started_at = now() - interval '1 minute'")
    progress = await read_progress(resources, plan.id)
    assert progress.state == "failed"
    assert progress.error is not None
    assert progress.error["code"] == "interrupted"


async def test_what_is_parked_is_described_and_retried(
    log: Log, resources: Resources, worker: Worker
) -> None:
    ada, conversation = Person(), new_id()
    projections = Projections.of_log(log)
    await log.pool.execute(BOMB)
    position = await log.append(*ada.say(conversation, "bomb"))
    await log.append(*ada.say(conversation, "behind it"))
    await caught_up(resources)
    [parked] = await projections.parked("conversations")
    assert (parked["first_position"], parked["events"]) == (str(position), 2)
    assert await projections.parked("turns") == []
    failed = await projections.retry("conversations")
    assert (failed["folded"], failed["parked"]) == (0, 2)
    await log.pool.execute(DEFUSE)
    done = await projections.retry("conversations", f"conversation-{conversation}")
    assert (done["folded"], done["parked"]) == (2, 0)
    assert await log.pool.fetchval("SELECT count(*) FROM read.messages") == 2
