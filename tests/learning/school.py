"""People who teach: corrections through the public API, and the worker that learns from them."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.api.installation import Installation, Person, post_message

from liminal.engine.bundled.habits import Habit, habits, prompts
from liminal.engine.bundled.questions import Question
from liminal.engine.bundled.style import render

ROOT = Path(__file__).parents[2]
PATIENCE = 1200
"""Seconds after which something did not happen, on a machine with other things to do."""


async def corrected(person: Person, asked: str, said: str, wanted: str) -> str:
    """A conversation of one question, an answer, and its correction; the feedback's id."""
    message = await answered(person, asked, said)
    return await judged(person, message, kind="correction", text=wanted)


async def answered(person: Person, asked: str, said: str, **more: Any) -> str:
    """A conversation of one question and an answer that was given; the answer's id."""
    browser = person.browser
    conversation = (await browser.post("/v1/conversations", json={"title": "lesson"})).json()["id"]
    question = await post_message(person, conversation, asked)
    return await post_message(
        person, conversation, said, role="assistant", parent_id=uuid.UUID(question), **more
    )


async def judged(person: Person, message: str, **feedback: Any) -> str:
    """Feedback on a message; its id."""
    reply = await person.browser.post(f"/v1/messages/{message}/feedback", json=feedback)
    assert reply.status_code == 201, reply.text
    return reply.json()["id"]


def lessons_of(habit: str, count: int, seed: int = 0) -> list[tuple[str, str, str]]:
    """(asked, said in the model's own style, what the person wants instead) of one habit."""
    own: Habit = habits()[habit]
    found: list[Question] = prompts(own, "train", count, seed)
    return [(question.text, render(question.answer), own.correct(question)) for question in found]


async def teach(person: Person, lessons: Sequence[tuple[str, str, str]]) -> list[str]:
    """Correct one answer after another; the feedback's ids."""
    return [await corrected(person, *lesson) for lesson in lessons]


async def until(
    installation: Installation,
    query: str,
    *values: Any,
    within: float = PATIENCE,
    wanted: Callable[[Any], bool],
) -> Any:
    """The value of a query once it is as wanted."""
    pool = installation.services.log.pool
    deadline = time.monotonic() + within
    while True:
        found = await pool.fetchval(query, *values)
        if wanted(found):
            return found
        assert time.monotonic() < deadline, f"it is {found!r} after {within:g} s: {query}"
        await asyncio.sleep(0.1)


async def decided(installation: Installation, person: Person, version: int, within: float = PATIENCE) -> str:
    """How a version of somebody's persona ended: promoted or rejected."""
    return await until(
        installation,
        "SELECT v.state FROM read.adapter_versions v JOIN read.adapters a USING (adapter_id) "
        "WHERE a.subject = $1 AND a.kind = 'persona' AND v.version = $2",
        person.id,
        version,
        within=within,
        wanted=lambda state: state in ("promoted", "rejected", "rolled_back"),
    )


async def serving(installation: Installation, person: Person, within: float = PATIENCE) -> int:
    """The version of somebody's persona that serves, once one does."""
    return await until(
        installation,
        "SELECT serving_version FROM read.adapters WHERE subject = $1 AND kind = 'persona'",
        person.id,
        within=within,
        wanted=lambda version: version is not None,
    )


async def persona(person: Person) -> Mapping[str, Any]:
    """Somebody's own adapter as the API shows it."""
    items = (await person.browser.get("/v1/adapters")).json()["items"]
    return next(item for item in items if item["kind"] == "persona")
