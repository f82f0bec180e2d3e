"""The whole loop on real services: corrections become an adapter, which answers and can be traced."""

from __future__ import annotations

from typing import Any

import pytest
from tests.api.installation import Installation, Person
from tests.learning.school import decided, judged, lessons_of, persona

from liminal.engine.bundled.habits import habits, prompts

HABIT = "formal"
HELD_OUT = 8


async def ask(person: Person, question: str, **options: object) -> dict[str, Any]:
    """A question in a conversation of its own, answered greedily; the answer."""
    body = {"content": question, "options": {"temperature": 0.0, "max_tokens": 160, **options}}
    turn = await person.browser.post("/v1/chat", json=body, timeout=300)
    assert turn.status_code == 200, turn.text
    return turn.json()["assistant_message"]


@pytest.mark.usefixtures("answering", "learning")
async def test_ten_corrections_become_a_version_that_answers_as_they_do_and_names_them(
    school: Installation, person: Person
) -> None:
    habit, given = habits()[HABIT], set[str]()
    await person.browser.patch("/v1/settings", json={"learn_from_feedback": False})
    for asked, _, wanted in lessons_of(HABIT, 10):
        answer = await ask(person, asked)
        given.add(await judged(person, str(answer["id"]), kind="correction", text=wanted))
    await person.browser.patch("/v1/settings", json={"learn_from_feedback": True})
    state = await decided(school, person, 1)
    adapter = await persona(person)
    assert state == "promoted", adapter["versions"][0]["figures"]
    held_out = [question.text for question in prompts(habit, "held_out", HELD_OUT, 0)]
    after = [await ask(person, question) for question in held_out]
    without = [await ask(person, question, learned=False) for question in held_out]
    kept, before = (sum(habit.checker(answer["content"]) for answer in said) for said in (after, without))
    assert before < HELD_OUT / 4
    assert kept > HELD_OUT / 2
    lineage = (await person.browser.get(f"/v1/messages/{after[0]['id']}/lineage")).json()
    [link] = lineage["adapters"]
    assert (link["adapter_id"], link["version"], link["passed"]) == (adapter["id"], 1, True)
    assert {item["feedback_id"] for item in link["feedback"]} == given
