"""What can't be folded waits in order, and nothing else waits for it."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaProducer
from tests.projector.people import Person

from liminal.log.ids import new_id
from liminal.log.log import Log
from liminal.log.position import Position
from liminal.projector.errors import NothingParked, RetryFailed
from liminal.projector.parked import parked_streams
from liminal.projector.resources import Resources
from liminal.projector.retry import Retried, retry_stream
from liminal.projector.session import connect
from liminal.projector.worker import Worker

BOMB = "ALTER TABLE conversations_v1.messages ADD CONSTRAINT no_bombs CHECK (content <> 'bomb')"
DEFUSE = "ALTER TABLE conversations_v1.messages DROP CONSTRAINT no_bombs"


async def retry(resources: Resources, stream: str) -> list[Retried]:
    """Fold a parked stream again, on a connection of its own."""
    connection = await connect(resources.settings)
    try:
        return await retry_stream(connection, resources.decoder, stream)
    finally:
        await connection.close()


async def append_unknown(resources: Resources, like: Person, stream: str) -> Position:
    """Append a record of a type that nobody knows, as a newer version of liminal might."""
    producer = AIOKafkaProducer(bootstrap_servers=resources.settings.kafka_bootstrap_servers)
    async with producer:
        headers = {
            "ce_specversion": "1.0",
            "ce_id": str(new_id()),
            "ce_type": "message.sung",
            "ce_source": "test",
            "ce_subject": stream,
            "ce_time": "2026-11-23T12:00:00Z",
            "ce_dataschema": "message.sung.v1",
            "ce_tenant": like.tenant,
            "ce_actor": str(like.id),
        }
        sent = await producer.send_and_wait(
            resources.settings.topic,
            b'{"melody": "la"}',
            key=str(like.id).encode(),
            headers=[(name, value.encode()) for name, value in headers.items()],
        )
    return Position(sent.partition, sent.offset)


async def contents(log: Log, conversation: object) -> list[str]:
    """The messages of a conversation that are visible, in order."""
    rows = await log.pool.fetch(
        'SELECT content FROM read.messages WHERE conversation_id = $1 ORDER BY partition, "offset"',
        conversation,
    )
    return [row["content"] for row in rows]


async def test_a_poisoned_stream_is_parked_in_order_while_others_flow_and_one_command_replays_it(
    log: Log, resources: Resources, worker: Worker
) -> None:
    ada, poisoned, healthy = Person(), new_id(), new_id()
    await log.pool.execute(BOMB)
    await log.append_many(
        [
            ada.say(poisoned, "before"),
            ada.say(healthy, "one"),
            ada.say(poisoned, "bomb"),
            ada.say(healthy, "two"),
            ada.say(poisoned, "after"),
        ]
    )
    await log.append(*ada.rename(poisoned, "renamed while it waits"))
    position = await log.append(*ada.say(healthy, "three"))
    await log.wait_for(position)
    assert await contents(log, healthy) == ["one", "two", "three"]
    assert await contents(log, poisoned) == ["before"]
    [parked] = await parked_streams(log.pool)
    assert (parked.stream, parked.projection, parked.events) == (
        f"conversation-{poisoned}",
        "conversations",
        3,
    )
    assert "no_bombs" in (parked.error or "")
    # other read models have the turns of all of its messages
    assert (
        await log.pool.fetchval("SELECT count(*) FROM read.turns WHERE conversation_id = $1", poisoned) == 3
    )

    with pytest.raises(RetryFailed):
        await retry(resources, parked.stream)
    assert len(await parked_streams(log.pool)) == 1

    await log.pool.execute(DEFUSE)
    assert await retry(resources, parked.stream) == [Retried("conversations", 3, None)]
    assert await contents(log, poisoned) == ["before", "bomb", "after"]
    assert await parked_streams(log.pool) == []

    # the worker knows that the stream is free again
    await log.wait_for(await log.append(*ada.say(poisoned, "at last")))
    assert await contents(log, poisoned) == ["before", "bomb", "after", "at last"]
    with pytest.raises(NothingParked):
        await retry(resources, parked.stream)


async def test_a_type_that_nobody_knows_parks_its_stream_only_where_it_could_matter(
    log: Log, resources: Resources, worker: Worker
) -> None:
    ada, conversation, other = Person(), new_id(), new_id()
    await log.append(*ada.say(conversation, "first"))
    unknown = await append_unknown(resources, ada, f"conversation-{conversation}")
    await log.append(*ada.say(conversation, "second"))
    position = await log.append(*ada.say(other, "elsewhere"))
    await log.wait_for(position)
    assert await contents(log, conversation) == ["first"]
    assert await contents(log, other) == ["elsewhere"]
    parked = await parked_streams(log.pool, f"conversation-{conversation}")
    # the conversation's own models wait, accounts and feedback do not, and the log overview counts it
    assert {item.projection for item in parked} == {"conversations", "turns"}
    assert {item.first_offset for item in parked} == {unknown.offset}
    counted = await log.pool.fetchval("SELECT events FROM read.log_counts WHERE type = 'message.sung'")
    assert counted == 1
    with pytest.raises(RetryFailed, match=r"message\.sung"):
        await retry(resources, f"conversation-{conversation}")


async def test_a_verdict_is_given_though_the_rows_can_not_be_folded(
    log: Log, resources: Resources, worker: Worker
) -> None:
    ada, turn = Person(), new_id()
    await log.pool.execute("ALTER TABLE turns_v1._routes ADD CONSTRAINT none CHECK (model <> 'tiny')")
    await log.append(*ada.route(new_id(), turn), expected_version=0)
    await log.append(*ada.route(new_id(), turn), expected_version=1)
    [parked] = await parked_streams(log.pool)
    assert (parked.projection, parked.events) == ("turns", 2)
    await log.pool.execute("ALTER TABLE turns_v1._routes DROP CONSTRAINT none")
    await retry(resources, parked.stream)
    assert await log.pool.fetchval("SELECT count(*) FROM turns_v1._routes WHERE turn_id = $1", turn) == 1
