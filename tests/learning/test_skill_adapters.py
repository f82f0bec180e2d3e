"""An approved skill earns an adapter of what its members taught: for an account, or for a whole tenant."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Literal

import pytest
from tests.api.installation import Installation, Person, signup
from tests.learning.school import lessons_of, teach, until

from liminal.learning.evidence.dataset import feedback_of
from liminal.learning.training.planner import unique_name
from liminal.log.envelope import Meta
from liminal.log.events import ClusterFormed, Event, SkillApproved, SkillProposed
from liminal.log.ids import new_id

pytestmark = pytest.mark.usefixtures("learning")
RUN = "SELECT run_id FROM read.training_runs WHERE skill_id = $1"
DATASET = "SELECT dataset -> 'blob' ->> 'hash' FROM read.training_runs WHERE run_id = $1"
ADAPTER = "SELECT name, scope, subject FROM read.adapters WHERE skill_id = $1"


async def approve(
    person: Person, label: str, members: Sequence[str], scope: Literal["user", "tenant"] = "user"
) -> uuid.UUID:
    """A cluster of feedback that became a skill, and was approved by a rule."""
    skill_id, cluster_id = new_id(), new_id()
    subject = person.id if scope == "user" else person.account["tenant_id"]
    owned: dict[str, Any] = {"scope": scope, "subject": subject}
    events: list[tuple[str, Event]] = [
        (
            f"cluster-{cluster_id}",
            ClusterFormed(
                cluster_id=cluster_id, run_id=new_id(), members=[uuid.UUID(item) for item in members], **owned
            ),
        ),
        (
            f"skill-{skill_id}",
            SkillProposed(
                skill_id=skill_id,
                cluster_id=cluster_id,
                kind="skill",
                label=label,
                size=len(members),
                **owned,
            ),
        ),
        (f"skill-{skill_id}", SkillApproved(skill_id=skill_id, by="rule", rule="test")),
    ]
    log = person.installation.services.log
    for stream, event in events:
        meta = Meta(owner=subject, tenant=person.account["tenant_id"], actor="test", stream=stream)
        await log.wait_for(await log.append(event, meta))
    return skill_id


async def test_a_tenants_skill_learns_from_several_people_and_from_one_alone_nothing(
    school: Installation, admin: Person, person: Person
) -> None:
    # what is queued is what is learned: that a run ends in a version, other tests see
    await admin.browser.post("/v1/admin/learning/pause", json={})
    other, unwilling = await signup(school), await signup(school)
    await unwilling.browser.patch("/v1/settings", json={"learn_from_feedback": False})
    own = await teach(person, lessons_of("bullets", 3))
    alone = await approve(person, "Lists", own, "tenant")
    theirs = await teach(other, lessons_of("bullets", 3, seed=1))
    kept_back = await teach(unwilling, lessons_of("bullets", 3, seed=2))
    skill = await approve(person, "Lists!", [*own, *theirs, *kept_back], "tenant")
    pool = school.services.log.pool
    run = await until(school, RUN, skill, wanted=lambda run: run is not None)
    learned = feedback_of(await school.services.blobs.get(await pool.fetchval(DATASET, run)))
    cancelled = await admin.browser.post(f"/v1/admin/training/{run}/cancel", json={})
    assert cancelled.json()["state"] == "cancelled"
    await admin.browser.post("/v1/admin/learning/resume", json={})
    assert learned == {uuid.UUID(item) for item in (*own, *theirs)}
    assert await pool.fetchval(RUN, alone) is None, "one person's words are no tenant's skill"
    row = await pool.fetchrow(ADAPTER, skill)
    assert row is not None
    assert tuple(row) == ("lists", "tenant", person.account["tenant_id"])


def test_two_skills_of_one_label_get_two_names() -> None:
    assert unique_name("Brief answers!", set()) == "brief-answers"
    assert unique_name("Brief  answers", {"brief-answers"}) == "brief-answers-2"
    assert unique_name("簡潔", {"skill"}) == "skill-2"
