"""What people write and do tells wishes, once, whoever reads it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from tests.learning.evidence import Judge, Killed, MortalLog, an_id, react, tell
from tests.projector.conftest import working

from liminal.learning.evidence.notice import TYPES, Noticer
from liminal.log.events import PreferenceDeleted, TurnRequested
from liminal.log.log import Log
from liminal.projector.resources import open_resources
from liminal.settings import Settings


@pytest.fixture
async def log(settings: Settings) -> AsyncGenerator[Log]:
    """A log with its read models at work."""
    async with Log.open(settings) as log, open_resources(settings) as resources, working(resources):
        yield log


async def notice(log: Log, life: int | None = None) -> None:
    """Read everything on the log, or die after so many events."""
    mortal = MortalLog(log, life)
    await react(log, Noticer(mortal).handle, TYPES)  # pyright: ignore[reportArgumentType]


async def wishes(log: Log) -> dict[str, dict[str, Any]]:
    """The preferences by what they are about."""
    rows = await log.pool.fetch("SELECT * FROM read.preferences ORDER BY dimension")
    return {row["dimension"]: dict(row) for row in rows}


async def test_a_wish_is_read_with_the_message_it_rests_on_and_belongs_to_who_said_it(log: Log) -> None:
    ada, bob = Judge("ada"), Judge("bob")
    said = [*ada.exchange("How far is the moon?"), *ada.exchange("No, in metric")]
    await tell(log, said, bob.exchange("No, in metric"))
    await notice(log)
    assert await log.pool.fetchval("SELECT count(DISTINCT owner_id) FROM read.preferences") == 2
    mine = await log.pool.fetchrow("SELECT * FROM read.preferences WHERE owner_id = $1", ada.id)
    assert mine is not None
    assert (mine["statement"], mine["value"], mine["rule"]) == (
        "Use metric units.", "metric", "units.metric@wishes.1",
    )  # fmt: skip
    assert mine["evidence"] == [ada.message("question")]


async def test_what_is_said_again_makes_one_wish_surer(log: Log) -> None:
    ada = Judge("ada")
    await tell(log, ada.exchange("What is rain?"), ada.exchange("Shorter, please"), ada.exchange("Too long"))
    await notice(log)
    found = (await wishes(log))["length"]
    assert (found["seen"], round(found["confidence"], 4)) == (2, 0.9375)
    assert found["evidence"] == [ada.message("question", 2), ada.message("question", 3)]


async def test_an_edit_tells_what_was_added_and_a_remark_what_it_says(log: Log) -> None:
    ada = Judge("ada")
    first = ada.exchange("How far is the moon? In metric, please.")
    edited = ada.exchange(
        "How far is the moon? In metric, please. Keep it short.", edited_from=ada.message("question", 1)
    )
    await tell(log, first, edited, ada.judge("note", "too long, and use bullet points"))
    await notice(log)
    found = await wishes(log)
    assert {name: row["seen"] for name, row in found.items()} == {"length": 2, "layout": 1, "units": 1}
    assert an_id("ada", "feedback", 2, "note") in found["length"]["evidence"]


async def test_asking_again_and_putting_it_differently_are_signs_of_discontent(log: Log) -> None:
    ada = Judge("ada")
    first = ada.exchange("How far is the moon?")
    again = TurnRequested(
        conversation_id=an_id("ada", "conversation"),
        turn_id=an_id("ada", "again"),
        kind="regenerate",
        user_message_id=ada.message("question"),
        assistant_message_id=an_id("ada", "another answer"),
        regenerated_from=ada.message("answer"),
    )
    edited = ada.exchange("How far is Mars?", edited_from=ada.message("question", 1))
    await tell(log, first, [(again, ada.meta(f"turn-{an_id('ada', 'again')}"))], edited)
    await notice(log)
    found = await wishes(log)
    assert {name: (row["polarity"], row["confidence"]) for name, row in found.items()} == {
        "answer": ("dislike", pytest.approx(0.3)),
        "question": ("dislike", pytest.approx(0.3)),
    }
    assert found["answer"]["evidence"] == [ada.message("answer", 1)]


@pytest.mark.parametrize("life", [0, 1, 2])
async def test_a_reader_that_dies_is_taken_over_and_nothing_is_read_twice(log: Log, life: int) -> None:
    ada = Judge("ada")
    await tell(log, ada.exchange("What is rain?"), ada.exchange("Shorter, please. In metric. Use bullets."))
    with pytest.raises(Killed):
        await notice(log, life)
    await notice(log)
    assert {name: row["seen"] for name, row in (await wishes(log)).items()} == {
        "layout": 1, "length": 1, "units": 1,
    }  # fmt: skip
    assert await log.pool.fetchval("SELECT sum(events) FROM read.log_counts WHERE type LIKE 'pref%'") == 3


async def test_what_was_deleted_is_not_read_again_from_the_same_words_but_from_new_ones(log: Log) -> None:
    ada = Judge("ada")
    await tell(log, ada.exchange("What is rain?"), ada.exchange("Shorter, please"))
    await notice(log)
    preference = (await wishes(log))["length"]["preference_id"]
    gone = PreferenceDeleted(preference_id=preference)
    await tell(log, [(gone, ada.meta(f"preference-{preference}"))])
    await notice(log)
    assert await wishes(log) == {}
    await tell(log, ada.exchange("Still too long. Too long!"), ada.exchange("Shorter!"))
    await notice(log)
    assert (await wishes(log))["length"]["evidence"] == [
        ada.message("question", 3),
        ada.message("question", 4),
    ]


async def test_a_message_whose_words_are_gone_tells_nothing(log: Log) -> None:
    ada = Judge("ada")
    await tell(log, ada.exchange("What is rain?"), ada.exchange("Shorter, please"))
    await log.vault.erase(str(ada.id))
    await notice(log)
    assert await wishes(log) == {}
