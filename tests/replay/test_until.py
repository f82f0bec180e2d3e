"""The read models of a past moment stand beside the live ones."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest

from liminal.log.envelope import Meta
from liminal.log.events import ConversationCreated, ConversationRenamed
from liminal.log.log import Log
from liminal.log.position import Position
from liminal.projector.errors import SchemaTaken
from liminal.projector.resources import Resources, open_resources
from liminal.projector.scratch import drop_scratch
from liminal.replay.until import replay_until, replays
from liminal.settings import Settings


@pytest.fixture
async def log(settings: Settings) -> AsyncGenerator[Log]:
    async with Log.open(settings) as log:
        yield log


@pytest.fixture
async def resources(settings: Settings, log: Log) -> AsyncGenerator[Resources]:
    async with open_resources(settings) as resources:
        yield resources


async def renamed(log: Log, *titles: str) -> tuple[uuid.UUID, list[Position]]:
    """A conversation that had these titles, one after the other."""
    owner, conversation_id = str(uuid.uuid4()), uuid.uuid4()
    meta = Meta(owner=owner, tenant="t", actor=owner, stream=f"conversation-{conversation_id}")
    events = [ConversationCreated(conversation_id=conversation_id, title=titles[0])]
    positions = [await log.append(events[0], meta)]
    for title in titles[1:]:
        await asyncio.sleep(0.005)
        event = ConversationRenamed(conversation_id=conversation_id, title=title)
        positions.append(await log.append(event, meta))
    return conversation_id, positions


async def title(resources: Resources, schema: str, conversation_id: uuid.UUID) -> str | None:
    return await resources.pool.fetchval(
        f"SELECT title FROM {schema}.conversations WHERE conversation_id = $1", conversation_id
    )


async def test_a_position_includes_its_record_and_nothing_after_it(log: Log, resources: Resources) -> None:
    conversation_id, positions = await renamed(log, "first", "second", "third")
    done = await replay_until(resources, positions[1], "moment", ["conversations"])
    assert await title(resources, "moment", conversation_id) == "second"
    assert done.positions[positions[1].partition] == positions[1].offset + 1


async def test_a_time_includes_what_had_happened_by_then_in_every_partition(
    log: Log, resources: Resources
) -> None:
    before = [await renamed(log, "before") for _ in range(6)]
    await asyncio.sleep(0.01)
    moment = datetime.now(UTC)
    await asyncio.sleep(0.01)
    after = [await renamed(log, "after") for _ in range(6)]
    await replay_until(resources, moment, "noon", ["conversations"])
    assert [await title(resources, "noon", c) for c, _ in before] == ["before"] * 6
    assert [await title(resources, "noon", c) for c, _ in after] == [None] * 6


async def test_a_schema_is_listed_not_overwritten_and_dropped_with_one_command(
    log: Log, resources: Resources
) -> None:
    _, positions = await renamed(log, "only")
    await replay_until(resources, positions[0], "kept", ["conversations"])
    assert await replays(resources) == ["kept"]
    with pytest.raises(SchemaTaken):
        await replay_until(resources, positions[0], "kept", ["conversations"])
    assert await drop_scratch(resources, "kept")
    assert await replays(resources) == []
    assert not await drop_scratch(resources, "kept")


async def test_every_read_model_has_the_views_of_its_own(log: Log, resources: Resources) -> None:
    _, positions = await renamed(log, "only")
    await replay_until(resources, positions[0], "several", ["conversations", "accounts", "turns"])
    for query in (
        "SELECT search FROM several.messages",
        "SELECT revoked_at FROM several.sessions",
        "SELECT state FROM several.turns",
    ):
        assert await resources.pool.fetch(query) == []


async def test_a_schema_that_no_replay_made_is_not_dropped(resources: Resources) -> None:
    assert not await drop_scratch(resources, "read")
    assert await resources.pool.fetchval("SELECT to_regnamespace('read') IS NOT NULL")
