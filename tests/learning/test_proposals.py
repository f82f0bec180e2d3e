"""Skills that are one too many: two in one place, and one that no answer uses."""

from __future__ import annotations

import math
import uuid
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.learning.test_gather import installed
from tests.steering.conftest import Somebody

from liminal.learning.skills.proposals import Proposer
from liminal.log.events import AdapterUse, MessagePosted, SkillApproved, TurnRouted
from liminal.log.log import Log
from liminal.settings import Settings
from liminal.steering.learning_policy import LearningPolicy

DAYS = LearningPolicy().skill.prune_days


@pytest.fixture
async def log(settings: Settings) -> AsyncGenerator[Log]:
    """A log with its read models at work."""
    async with installed(settings) as (log, _):
        yield log


def at(degrees: float) -> list[float]:
    """A place on the unit circle."""
    return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]


async def look(somebody: Somebody) -> None:
    """What follows a pass over somebody's evidence, and all of it folded."""
    completed: dict[str, Any] = {
        "_id": str(uuid.uuid4()),
        "_owner": somebody.id,
        "_tenant": somebody.tenant,
        "scope": "user",
        "subject": somebody.id,
        "run_id": str(uuid.uuid4()),
    }
    log = somebody.log
    await Proposer(log).propose(completed)
    # an event of the same owner comes after all those: once it is folded, they are
    await somebody.rule("note", "marker")


async def ask(somebody: Somebody, used: AdapterUse) -> None:
    """A question, routed to an adapter."""
    turn: dict[str, Any] = {"conversation_id": uuid.uuid4(), "turn_id": uuid.uuid4()}
    question, answer = uuid.uuid4(), uuid.uuid4()
    posted = MessagePosted(**turn, message_id=question, role="user", content="?", assistant_message_id=answer)
    routed = TurnRouted(
        **turn,
        user_message_id=question,
        assistant_message_id=answer,
        model="base",
        adapters=[used],
        seed=1,
    )
    await somebody.append(
        (posted, f"conversation-{turn['conversation_id']}"), (routed, f"turn-{turn['turn_id']}")
    )


async def standing(log: Log, *skills: uuid.UUID) -> list[tuple[Any, ...]]:
    """Of each skill: state, what it is proposed to go into, their overlap, days of disuse."""
    rows = await log.pool.fetch(
        """SELECT skill_id, state, merge_into, round(merge_overlap::numeric, 2)::float, prune_days
           FROM read.skills"""
    )
    found = {row["skill_id"]: tuple(row)[1:] for row in rows}
    return [found[skill] for skill in skills]


UNTOUCHED = ("approved", None, None, None)


async def test_the_later_of_two_skills_in_one_place_is_proposed_to_go_into_the_earlier(log: Log) -> None:
    ada = Somebody(log)
    first = await ada.skill("sums", at(0))
    second = await ada.skill("arithmetic", at(20))
    third = await ada.skill("letters", at(80))
    same = await Somebody(log).skill("sums", at(0))
    await look(ada)
    assert await standing(log, first, third, same) == [UNTOUCHED] * 3, "60° apart, or somebody else's"
    assert await standing(log, second) == [("approved", first, 0.94, None)]
    kept = SkillApproved(skill_id=second, by="user")
    await ada.append((kept, f"skill-{second}"))
    await look(ada)
    assert await standing(log, second) == [UNTOUCHED], "who keeps both is not asked again"


async def test_a_skill_that_no_answer_used_for_long_is_proposed_to_be_pruned(log: Log) -> None:
    ada = Somebody(log, time=datetime.now(UTC) - timedelta(days=DAYS + 1))
    unused, used = await ada.skill("sums", at(0)), await ada.skill("letters", at(90))
    ada.time = None
    young = await ada.skill("young", at(270))
    adapter = await log.pool.fetchval("SELECT adapter_id FROM read.adapters WHERE skill_id = $1", used)
    await ask(ada, AdapterUse(adapter_id=adapter, name="letters", version=1, gate=1.0, content_hash="a" * 64))
    await look(ada)
    assert await standing(log, used, young) == [UNTOUCHED] * 2
    assert await standing(log, unused) == [("approved", None, None, DAYS)]
    await ada.append((SkillApproved(skill_id=unused, by="user"), f"skill-{unused}"))
    await look(ada)
    assert await standing(log, unused) == [UNTOUCHED], "who keeps it has another while"
