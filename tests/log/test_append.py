"""Appending to a real broker: order, secrecy, refusals."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from tests.log.helpers import Person, header, read_all

from liminal.log import AppendRefused, EventTooLarge, Log, MalformedEvent, Position
from liminal.log.events import (
    AccountCreated,
    Citation,
    ConversationCreated,
    ErasureCompleted,
    MessagePosted,
)
from liminal.log.producer import partition_of
from liminal.settings import Settings
from liminal.storage.errors import OwnerErased

PLANTED = "the heron stands in the reeds at dawn"


async def test_an_appended_event_lies_at_its_position_as_a_cloud_event(
    log: Log, settings: Settings, person: Person
) -> None:
    event, meta = person.says("hello")
    position = await log.append(event, meta)
    (record,) = await read_all(settings)
    assert (record.partition, record.offset) == position == Position(partition_of(person.id.encode(), 4), 0)
    assert record.key == person.id.encode()
    assert header(record, "ce_specversion") == "1.0"
    assert header(record, "ce_type") == "message.posted"
    assert header(record, "ce_dataschema") == "message.posted.v1"
    assert header(record, "ce_subject") == f"conversation-{person.conversation}"
    assert (await log.decoder.decode([record]))[0]["content"] == "hello"


async def test_a_planted_sentence_is_nowhere_in_the_raw_topic(
    log: Log, settings: Settings, person: Person
) -> None:
    await log.append(*person.says(PLANTED))
    account = uuid.UUID(person.id)
    await log.append(
        AccountCreated(account_id=account, tenant_id="acme", email="heron@reeds.org", display_name="Heron"),
        person.meta(stream=f"account-{person.id}"),
    )
    await log.append(
        ConversationCreated(conversation_id=person.conversation, title="About herons"), person.meta()
    )
    raw = b"\n".join(
        part
        for record in await read_all(settings)
        for part in (record.key, record.value, *(value for _, value in record.headers))
    )
    assert person.id.encode() in raw
    for word in (PLANTED, "heron", "Heron", "reeds", "About"):
        assert word.encode() not in raw


async def test_one_owners_events_keep_the_order_they_were_appended_in(log: Log, person: Person) -> None:
    positions = [await log.append(*person.says(str(i))) for i in range(5)]
    positions += await log.append_many([person.says(str(i)) for i in range(5, 500)])
    assert len({position.partition for position in positions}) == 1
    assert [position.offset for position in positions] == list(range(500))


async def test_many_writers_at_once_lose_nothing(log: Log, settings: Settings) -> None:
    people = [Person() for _ in range(20)]

    async def talk(person: Person) -> None:
        for i in range(20):
            await log.append(*person.says(str(i)))

    await asyncio.gather(*(talk(person) for person in people))
    said: dict[str, list[str]] = {}
    for flat in await log.decoder.decode(await read_all(settings)):
        said.setdefault(flat["_owner"], []).append(flat["content"])
    assert said == {person.id: [str(i) for i in range(20)] for person in people}


async def test_an_id_and_a_time_that_are_given_are_kept(log: Log, settings: Settings, person: Person) -> None:
    wanted = uuid.uuid4()
    await log.append(*person.says("hello", id=wanted))
    assert header((await read_all(settings))[0], "ce_id") == str(wanted)


async def test_nothing_of_a_list_is_written_when_one_of_it_is_refused(
    log: Log, settings: Settings, person: Person
) -> None:
    bad = (person.says("hello")[0], person.meta(stream="account-1"))
    with pytest.raises(MalformedEvent):
        await log.append_many([person.says("one"), bad])
    assert await read_all(settings) == []


async def test_an_event_that_was_bent_after_it_was_built_is_refused(log: Log, person: Person) -> None:
    event, meta = person.says("hello")
    bent = MessagePosted.model_construct(**{**dict(event), "role": "ghost"})
    with pytest.raises(MalformedEvent) as refused:
        await log.append(bent, meta)
    assert refused.value.details["path"] == "role"
    citation = Citation.model_construct(number="first", title=None, text=None)
    bent = MessagePosted.model_construct(**{**dict(event), "citations": [citation]})
    with pytest.raises(MalformedEvent) as refused:
        await log.append(bent, meta)
    assert refused.value.details["path"].startswith("citations.0.")


async def test_an_event_over_the_limit_is_sent_to_the_blob_store(
    log: Log, settings: Settings, person: Person
) -> None:
    with pytest.raises(EventTooLarge, match="blob store"):
        await log.append(*person.says("x" * settings.max_event_bytes))
    assert await read_all(settings) == []


async def test_the_largest_event_that_the_limit_allows_is_written(
    log: Log, settings: Settings, person: Person
) -> None:
    event, meta = person.says("x" * (settings.max_event_bytes * 3 // 4 - 2000))
    await log.append(event, meta)
    (flat,) = await log.decoder.decode(await read_all(settings))
    assert flat["content"] == event.content


async def test_a_time_that_the_broker_refuses_is_said_to_be_refused(log: Log, person: Person) -> None:
    from datetime import UTC, datetime, timedelta

    with pytest.raises(AppendRefused):
        await log.append(*person.says("hello", time=datetime.now(UTC) + timedelta(days=30)))


async def test_nothing_personal_can_be_written_for_an_erased_owner(
    log: Log, settings: Settings, person: Person
) -> None:
    await log.append(*person.says(PLANTED))
    await log.vault.erase(person.id)
    with pytest.raises(OwnerErased):
        await log.append(*person.says("again"))
    erasure = uuid.uuid4()
    done = ErasureCompleted(
        erasure_id=erasure, scope="account", subject=person.id, key_deleted=True, removed={"rows": 1}
    )
    await log.append(done, person.meta(stream=f"erasure-{erasure}"))
    first, last = await log.decoder.decode(await read_all(settings))
    assert first["content"] is None
    assert last["removed"] == {"rows": 1}


async def test_an_erasure_holds_in_a_second_process(log: Log, settings: Settings, person: Person) -> None:
    await log.append(*person.says(PLANTED))
    records = await read_all(settings)
    async with Log.open(settings) as other:
        assert (await other.decoder.decode(records))[0]["content"] == PLANTED
        await log.vault.erase(person.id)
        async with asyncio.timeout(5):
            while (await other.decoder.decode(records))[0]["content"] is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # the notification is under way
