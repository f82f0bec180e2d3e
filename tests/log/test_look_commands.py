"""`liminal log` tail, inspect, stats, spec, schemas."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from datetime import UTC, datetime

import pytest
from tests.log.helpers import PLANTED, Person, Run, lines, talk

from liminal.log import Log
from liminal.log.errors import LogError
from liminal.log.events import ConversationCreated, ConversationDeleted
from liminal.settings import Settings
from liminal.storage.errors import MasterKeyError


async def test_tail_shows_the_newest_in_order_of_time_and_nothing_personal(log: Log, run: Run) -> None:
    them = await talk(log)
    shown = lines(await run("tail", "-n", "4", "--json"))
    assert [line["owner"] for line in shown] == [them[i].id for i in (2, 0, 1, 2)]
    text = (await run("tail")).stdout
    assert len(text.splitlines()) == 15
    assert "message.posted" in text and "‹sealed›" in text and "heron" not in text


async def test_tail_decrypts_for_who_has_the_master_key(
    log: Log, run: Run, request: pytest.FixtureRequest
) -> None:
    await talk(log, 1, 1)
    with pytest.raises(MasterKeyError, match="LIMINAL_MASTER_KEY"):
        await run("tail", "--decrypt")
    request.getfixturevalue("with_master_key")
    assert f"{PLANTED} 0" in (await run("tail", "--decrypt")).stdout


async def test_tail_filters_by_type_owner_stream_and_place(log: Log, run: Run) -> None:
    them = await talk(log)
    await log.append(ConversationDeleted(conversation_id=them[0].conversation), them[0].meta())
    only = lines(await run("tail", "--type", "conversation.*", "--json"))
    assert [line["type"] for line in only] == ["conversation.deleted"]
    assert len(lines(await run("tail", "--owner", them[0].id, "--json"))) == 6
    stream = f"conversation-{them[1].conversation}"
    assert {line["stream"] for line in lines(await run("tail", "--stream", stream, "--json"))} == {stream}
    assert len(lines(await run("tail", "--since", "1m", "--json"))) == 1
    assert len(lines(await run("tail", "--since", "1h", "--json"))) == 16
    last = only[0]["position"]
    assert [line["position"] for line in lines(await run("tail", "--since", last, "--json"))] == [last]


async def test_tail_looks_as_far_back_as_it_must_for_what_is_rare(log: Log, run: Run) -> None:
    person = Person()
    await log.append(ConversationDeleted(conversation_id=person.conversation), person.meta())
    await log.append_many([person.says(str(i)) for i in range(1000)])
    found = lines(await run("tail", "-n", "1", "-t", "conversation.deleted", "--json"))
    assert [line["type"] for line in found] == ["conversation.deleted"]


async def test_tail_says_what_is_no_place_on_the_log(run: Run, log: Log) -> None:
    with pytest.raises(LogError, match="no place on the log"):
        await run("tail", "--since", "yesterday")
    with pytest.raises(LogError, match="no partition 9"):
        await run("tail", "--since", "9:0")


async def test_tail_follows_what_comes(log: Log, settings: Settings) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "liminal.cli", "log", "tail", "-f", "-n", "1", "--json"),
        env={
            "LIMINAL_TOPIC": settings.topic,
            "LIMINAL_HOME": str(settings.home),
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "PYTHONUNBUFFERED": "1",
        },
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            person = Person()
            first = await log.append(*person.says("one"))
            assert json.loads(await process.stdout.readline())["position"] == str(first)
            second = await log.append(*person.says("two"))
            assert json.loads(await process.stdout.readline())["position"] == str(second)
    finally:
        process.terminate()
        await process.wait()


async def test_inspect_shows_one_event_by_its_position_and_by_its_id(
    log: Log, run: Run, person: Person, with_master_key: None
) -> None:
    await talk(log)
    position = await log.append(*person.says(PLANTED))
    by_position = json.loads((await run("inspect", str(position), "--json")).stdout)
    by_id = json.loads((await run("inspect", by_position["id"], "--json")).stdout)
    assert by_position == by_id
    assert by_position["data"]["content"].startswith("enc:1:")
    opened = json.loads((await run("inspect", str(position), "--decrypt", "--json")).stdout)
    assert opened["data"]["content"] == PLANTED
    text = (await run("inspect", str(position))).stdout
    assert "personal" in text and "The words." in text
    assert str(person.conversation) in text and "…" not in text


async def test_inspect_finds_an_event_whose_id_holds_no_time(log: Log, run: Run, person: Person) -> None:
    wanted = uuid.uuid5(uuid.NAMESPACE_URL, "cause")
    await log.append(*person.says(PLANTED, id=wanted))
    assert json.loads((await run("inspect", str(wanted), "--json")).stdout)["id"] == str(wanted)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("0:99", "nothing is at 0:99"),
        ("4c0f8f0e-5b0c-4a6f-9d5e-2f6f3f1f9b11", "no event has the id"),
        ("here", "neither a position"),
    ],
)
async def test_inspect_says_when_there_is_nothing(log: Log, run: Run, place: str, said: str) -> None:
    with pytest.raises(LogError, match=said):
        await run("inspect", place)


async def test_stats_counts_by_type_day_and_partition(log: Log, run: Run) -> None:
    them = await talk(log)
    await log.append(
        ConversationCreated(conversation_id=them[0].conversation),
        them[0].meta(time=datetime(2020, 1, 1, tzinfo=UTC)),
    )
    found = json.loads((await run("stats", "--json")).stdout)
    assert (found["events"], found["owners"], found["streams"]) == (16, 3, 3)
    assert {row["type"]: row["events"] for row in found["types"]} == {
        "message.posted": 15,
        "conversation.created": 1,
    }
    assert found["days"][0] == {"day": "2020-01-01", "events": 1}
    assert sum(row["end"] - row["first"] for row in found["partitions"]) == 16
    assert "message.posted" in (await run("stats")).stdout


async def test_spec_prints_the_asyncapi_document(run: Run) -> None:
    assert json.loads((await run("spec")).stdout)["asyncapi"] == "3.0.0"


async def test_schemas_are_as_the_code_says(run: Run) -> None:
    assert (await run("schemas", "--check")).stdout == ""
