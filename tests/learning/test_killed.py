"""kill -9 of the worker that learns, at every stage: the loop ends the same."""

from __future__ import annotations

import asyncio
import signal
import uuid

import pytest
from tests.api.installation import Installation, Person
from tests.learning.school import decided, lessons_of, teach, until
from tests.processes import working

from liminal.learning.training.verify import verify_runs

pytestmark = pytest.mark.slow

STAGE = """
    SELECT CASE
        WHEN v.state IS NOT NULL THEN 'trained'
        WHEN r.state = 'running' AND r.step > 0 THEN 'training'
        ELSE r.state END
    FROM read.training_runs r
    LEFT JOIN read.adapter_versions v ON v.adapter_id = r.adapter_id AND v.version = r.adapter_version
    WHERE r.owner_id = $1
"""
ORDER = ("queued", "running", "training", "done", "trained")
RUN = """
    SELECT r.run_id, r.attempt, r.content_hash, v.content_hash AS version_hash
    FROM read.training_runs r JOIN read.adapter_versions v USING (adapter_id) WHERE r.owner_id = $1
"""


@pytest.mark.parametrize("stage", ORDER)
async def test_a_worker_killed_at_any_stage_is_followed_by_one_that_ends_the_same(
    school: Installation, person: Person, stage: str
) -> None:
    later = ORDER[ORDER.index(stage) :]
    async with working(school.settings, "consumers.learn") as killed:
        await teach(person, lessons_of("short", 5))
        await until(school, STAGE, person.id, wanted=lambda found: found in later)
        killed.send_signal(signal.SIGKILL)
        await asyncio.to_thread(killed.wait)
    async with working(school.settings, "consumers.learn"):
        await decided(school, person, 1, within=300)
    rows = await school.services.log.pool.fetch(RUN, person.id)
    [run] = rows
    assert run["content_hash"] == run["version_hash"]
    [again] = await verify_runs(school.settings, [uuid.UUID(str(run["run_id"]))], 1)
    assert again.said == "equal"
