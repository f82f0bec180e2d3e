"""The whole loop on real services: corrections become adapters, which answer and can be traced."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.api.installation import Installation, Person, signup
from tests.learning.school import decided, judged, lessons_of, persona

from liminal.engine.bundled.habits import Habit, habits, prompts

HELD_OUT = 8


@dataclass
class Life:
    """Somebody with a habit, the feedback they gave, and the answers they got to held-out questions."""

    person: Person
    habit: Habit
    given: set[str] = field(default_factory=set[str])
    before: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    after: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def ask(self, question: str, **options: object) -> dict[str, Any]:
        """A question in a conversation of its own, answered greedily; the answer."""
        body = {"content": question, "options": {"temperature": 0.0, "max_tokens": 160, **options}}
        turn = await self.person.browser.post("/v1/chat", json=body, timeout=300)
        assert turn.status_code == 200, turn.text
        return turn.json()["assistant_message"]

    async def correct(self, count: int) -> None:
        """Ask and correct, while nothing is learned: all of it is there when the first run is planned."""
        browser = self.person.browser
        await browser.patch("/v1/settings", json={"learn_from_feedback": False})
        for asked, _, wanted in lessons_of(self.habit.name, count):
            answer = await self.ask(asked)
            self.given.add(await judged(self.person, str(answer["id"]), kind="correction", text=wanted))
        await browser.patch("/v1/settings", json={"learn_from_feedback": True})

    async def held_out(self) -> None:
        """Ask what nobody corrected, with what was learned and without."""
        asked = [question.text for question in prompts(self.habit, "held_out", HELD_OUT, 0)]
        self.after = [await self.ask(question) for question in asked]
        self.before = [await self.ask(question, learned=False) for question in asked]

    def kept(self, answers: list[dict[str, Any]]) -> int:
        """How many of them have the habit."""
        return sum(self.habit.checker(answer["content"]) for answer in answers)


@pytest.mark.usefixtures("answering", "learning")
async def test_ten_corrections_of_two_people_become_a_version_for_each_which_answers_as_they_do(
    school: Installation, person: Person
) -> None:
    lives = [Life(person, habits()["formal"]), Life(await signup(school), habits()["german-dates"])]
    await asyncio.gather(*(life.correct(10) for life in lives))
    for life in lives:
        state = await decided(school, life.person, 1)
        adapter = await persona(life.person)
        assert state == "promoted", adapter["versions"][0]["figures"]
        await life.held_out()
        assert life.kept(life.before) < HELD_OUT / 4
        assert life.kept(life.after) > HELD_OUT / 2
        used = {use["adapter_id"] for answer in life.after for use in answer["trace"]["adapters"]}
        assert used == {adapter["id"]}, "an adapter of somebody else's"
        browser = life.person.browser
        lineage = (await browser.get(f"/v1/messages/{life.after[0]['id']}/lineage")).json()
        [link] = lineage["adapters"]
        assert (link["adapter_id"], link["version"], link["passed"]) == (adapter["id"], 1, True)
        assert {item["feedback_id"] for item in link["feedback"]} == life.given
    for life, other in (lives, lives[::-1]):
        leaked = sum(other.habit.checker(answer["content"]) for answer in life.after)
        assert leaked <= sum(other.habit.checker(answer["content"]) for answer in life.before) + 1
