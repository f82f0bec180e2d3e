"""Who is behind, how far, and how he catches up."""

from __future__ import annotations

import asyncio

from tests.projector.conftest import caught_up, fold_everything, working
from tests.projector.people import Person

from liminal.log.ids import new_id
from liminal.log.log import Log
from liminal.projector.lag import read_lag
from liminal.projector.resources import Resources
from liminal.projector.verify import verify
from liminal.projector.worker import Worker


async def test_lag_is_told_in_events_and_in_seconds(log: Log, resources: Resources) -> None:
    ada, conversation = Person(), new_id()
    await log.append(*ada.say(conversation, "one"))
    await fold_everything(resources)
    assert all((lag.events, lag.seconds) == (0, 0.0) for lag in await read_lag(resources))
    position = await log.append(*ada.say(conversation, "two"))
    await log.append(*ada.say(conversation, "three"))
    await asyncio.sleep(0.3)
    lags = [lag for lag in await read_lag(resources) if lag.partition == position.partition]
    assert {lag.projection for lag in lags} == set(resources.definitions)
    assert {(lag.position, lag.end, lag.events) for lag in lags} == {(1, 3, 2)}
    assert all(0.3 <= lag.seconds < 10 for lag in lags)


async def test_a_read_model_far_behind_catches_up_by_itself_while_the_others_go_on(
    log: Log, resources: Resources
) -> None:
    people = [(Person(), new_id()) for _ in range(6)]
    for _ in range(20):
        await log.append_many([person.say(conversation, "words") for person, conversation in people])
    await fold_everything(resources)
    # as after a rollback: its rows are those of long ago
    schemas = "SELECT projection, schema FROM liminal.generations WHERE state = 'live'"
    of = {row["projection"]: row["schema"] for row in await log.pool.fetch(schemas)}
    await log.pool.execute(
        f"TRUNCATE {of['feedback']}.feedback, {of['turns']}._requests, {of['turns']}._outcomes"
    )
    await log.pool.execute(
        "UPDATE liminal.checkpoints SET position = 0 FROM liminal.generations g "
        "WHERE g.id = generation_id AND projection IN ('turns', 'feedback')"
    )
    async with working(resources, near=5, batch_size=8):
        for _ in range(5):
            await log.append_many([person.say(conversation, "more") for person, conversation in people])
        await caught_up(resources)
    assert await log.pool.fetchval("SELECT count(*) FROM read.turns") == 150
    assert all(result.equal for result in await verify(resources))


async def test_a_lost_connection_is_made_again(log: Log, resources: Resources, worker: Worker) -> None:
    ada, conversation = Person(), new_id()
    for round in range(3):
        await log.wait_for(await log.append(*ada.say(conversation, f"round {round}")))
        ended = await log.pool.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE application_name = 'liminal projector' AND datname = current_database()"
        )
        assert ended >= 1
    await log.wait_for(await log.append(*ada.say(conversation, "last")))
    assert await log.pool.fetchval("SELECT count(*) FROM read.messages") == 4
    assert all(result.equal for result in await verify(resources))
