"""The whole loop on real services: corrections become an adapter, which answers and can be traced."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.api.installation import Installation, Person, signup
from tests.learning.school import decided, judged, lessons_of, persona

from liminal.engine.bundled.habits import habits, prompts

HABIT = habits()["german-dates"]
HELD_OUT = 8

Answer = dict[str, Any]


async def ask(person: Person, question: str, **options: object) -> Answer:
    """A question in a conversation of its own, answered greedily; the answer."""
    body = {"content": question, "options": {"temperature": 0.0, "max_tokens": 160, **options}}
    turn = await person.browser.post("/v1/chat", json=body, timeout=300)
    assert turn.status_code == 200, turn.text
    return turn.json()["assistant_message"]


async def correct(person: Person, count: int) -> set[str]:
    """Ask and correct, while nothing is learned: all of it is there when the first run is planned."""
    await person.browser.patch("/v1/settings", json={"learn_from_feedback": False})
    given: set[str] = set()
    for asked, _, wanted in lessons_of(HABIT.name, count):
        answer = await ask(person, asked)
        given.add(await judged(person, str(answer["id"]), kind="correction", text=wanted))
    await person.browser.patch("/v1/settings", json={"learn_from_feedback": True})
    return given


def kept(answers: list[Answer]) -> int:
    """How many of them have the habit."""
    return sum(HABIT.checker(answer["content"]) for answer in answers)


def adapters_of(answers: list[Answer]) -> set[str]:
    """What shaped them."""
    return {use["adapter_id"] for answer in answers for use in answer["trace"]["adapters"]}


@pytest.mark.usefixtures("answering", "learning")
async def test_ten_corrections_become_a_version_that_answers_whoever_gave_them_and_nobody_else(
    school: Installation, person: Person
) -> None:
    given, other = await correct(person, 10), await signup(school)
    assert await decided(school, person, 1) == "promoted", (await persona(person))["versions"][0]["figures"]
    adapter = await persona(person)
    learned: list[Answer] = []
    plain: list[Answer] = []
    for question in prompts(HABIT, "held_out", HELD_OUT, 0):
        # at once, so that they are rows of one batch
        own, others = await asyncio.gather(ask(person, question.text), ask(other, question.text))
        learned.append(own)
        plain.append(others)
    assert kept(learned) > HELD_OUT / 2
    assert kept(plain) < HELD_OUT / 4
    assert adapters_of(learned) == {adapter["id"]}
    assert adapters_of(plain) == set()
    switched_off = await ask(person, question.text, learned=False)
    assert switched_off["content"] == plain[-1]["content"] != learned[-1]["content"]
    lineage = (await person.browser.get(f"/v1/messages/{learned[0]['id']}/lineage")).json()
    [link] = lineage["adapters"]
    assert (link["adapter_id"], link["version"], link["passed"]) == (adapter["id"], 1, True)
    assert {item["feedback_id"] for item in link["feedback"]} == given
