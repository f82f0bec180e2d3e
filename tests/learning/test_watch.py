"""Live feedback on a promoted version, through the public API."""

from __future__ import annotations

import contextlib
import uuid

import pytest
from tests.api.installation import Installation, Person
from tests.api.trained import post_adapter
from tests.learning.evidence import Killed, MortalLog, react
from tests.learning.school import answered, judged, persona, until

from liminal.learning.adapters.watch import TYPES, Watcher
from liminal.log.ids import new_id
from liminal.log.read import Filter, open_reader

DISLIKED = 10


async def answered_by(person: Person, adapter_id: uuid.UUID, version: int) -> str:
    """An answer that a version took part in, as the respond reaction records it."""
    use = {
        "adapter_id": str(adapter_id),
        "name": "p",
        "version": version,
        "gate": 1.0,
        "content_hash": "ab" * 32,
    }
    trace = {"model": "m", "backend": "jax", "adapters": [use], "seed": 1, "finish_reason": "stop"}
    return await answered(person, f"what? {new_id()}", "an answer", trace=trace)


async def liked(person: Person) -> uuid.UUID:
    """An adapter with two versions, of which the first, that serves no more, was liked."""
    adapter_id = await post_adapter(person, 2)
    for _ in range(12):
        await judged(person, await answered_by(person, adapter_id, 1), kind="thumb", value=1)
    return adapter_id


@pytest.mark.parametrize("life", [0, None], ids=["before it rolls back", "once it has"])
async def test_a_watcher_that_dies_is_taken_over_and_one_rolls_back_once(
    school: Installation, person: Person, life: int | None
) -> None:
    """Comes before those that share a watcher, which would be quicker."""
    log = school.services.log
    adapter_id = await liked(person)
    for _ in range(DISLIKED):
        await judged(person, await answered_by(person, adapter_id, 2), kind="thumb", value=-1)
    first = Watcher(MortalLog(log, life))  # pyright: ignore[reportArgumentType]
    with pytest.raises(Killed) if life == 0 else contextlib.nullcontext():
        await react(log, first.handle, TYPES)
    for _ in range(2):
        await react(log, Watcher(log).handle, TYPES)
    assert (await persona(person))["serving_version"] == 1
    wanted = Filter(types=("adapter.version.rolled_back",), stream=f"adapter-{adapter_id}")
    async with open_reader(school.settings) as reader:
        start, end = await reader.bounds()
        written = [wanted.wants(record) async for batch in reader.upto(start, end) for record in batch]
    assert sum(written) == 1


@pytest.mark.usefixtures("watching")
async def test_a_version_that_is_liked_less_than_the_one_before_is_rolled_back_and_says_why(
    school: Installation, person: Person
) -> None:
    adapter_id = await liked(person)
    for number in range(DISLIKED):
        assert (await persona(person))["serving_version"] == 2, f"rolled back after {number} answers"
        await judged(person, await answered_by(person, adapter_id, 2), kind="thumb", value=-1)
    serving = "SELECT serving_version FROM read.adapters WHERE adapter_id = $1"
    await until(school, serving, adapter_id, wanted=lambda version: version == 1)
    newest = (await persona(person))["versions"][0]
    assert (newest["state"], newest["decided_by"]) == ("rolled_back", "rule")
    assert "10 of 10 judged answers were corrected or disliked, 0 of 12 before it" in newest["reason"]


@pytest.mark.usefixtures("watching")
async def test_a_version_that_is_liked_as_much_stays(school: Installation, person: Person) -> None:
    adapter_id = await post_adapter(person, 2)
    for number in range(12):
        value = -1 if number % 4 == 0 else 1
        await judged(person, await answered_by(person, adapter_id, 1), kind="thumb", value=value)
        await judged(person, await answered_by(person, adapter_id, 2), kind="thumb", value=value)
    assert (await persona(person))["serving_version"] == 2
