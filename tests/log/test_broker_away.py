"""A broker that is away, frozen or killed: every append ends in bounded time and says what is known."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from tests.log.helpers import Person, header, read_all
from tests.log.own_broker import OwnBroker

from liminal.log import AppendUnknown, BrokerUnavailable, Log
from liminal.settings import Settings

CACHE = Path(__file__).parents[2] / ".cache"
WITHIN = 1.5


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Generator[OwnBroker]:
    """A broker that this module may kill."""
    broker = OwnBroker(tmp_path_factory.mktemp("own"), CACHE)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def settings(settings: Settings, own_broker: OwnBroker) -> Settings:
    """Settings with that broker, and little patience."""
    return settings.model_copy(
        update={"kafka_bootstrap_servers": own_broker.servers, "append_timeout": WITHIN}
    )


@pytest.fixture
async def log(settings: Settings) -> AsyncGenerator[Log]:
    """A log on that broker."""
    async with Log.open(settings) as opened:
        yield opened


async def test_a_log_can_not_be_opened_without_a_broker(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1"):
        async with Log.open(nowhere):
            pass


async def test_appends_to_a_killed_broker_fail_in_time_and_patient_ones_ride_over_its_new_start(
    log: Log, settings: Settings, own_broker: OwnBroker, person: Person
) -> None:
    for i in range(20):
        await log.append(*person.says(f"before {i}"))
    async with Log.open(settings.model_copy(update={"append_timeout": 30.0})) as patient:
        own_broker.kill()
        await asyncio.sleep(0.1)  # until the connection is seen to be closed
        begun = time.monotonic()
        with pytest.raises(BrokerUnavailable, match="nothing was written"):
            await log.append(*person.says("meanwhile"))
        assert time.monotonic() - begun < WITHIN + 1
        append = asyncio.create_task(patient.append(*person.says("through the night")))
        await asyncio.to_thread(own_broker.start)
        await append
    await log.append(*person.says("after"))
    said = [flat["content"] for flat in await log.decoder.decode(await read_all(settings))]
    assert said == [*(f"before {i}" for i in range(20)), "through the night", "after"]


async def test_an_append_without_an_answer_says_that_its_outcome_is_unknown(
    log: Log, settings: Settings, own_broker: OwnBroker, person: Person
) -> None:
    await log.append(*person.says("before"))
    wanted = uuid.uuid4()
    own_broker.freeze()
    try:
        begun = time.monotonic()
        with pytest.raises(AppendUnknown) as unknown:
            await log.append(*person.says("frozen", id=wanted))
        assert time.monotonic() - begun < WITHIN + 1
    finally:
        own_broker.thaw()
    assert unknown.value.details["event_id"] == str(wanted)
    await log.append(*person.says("after"))
    ids = [header(record, "ce_id") for record in await read_all(settings)]
    assert ids.count(str(wanted)) <= 1


async def test_under_a_kill_each_event_ends_as_its_writer_was_told(
    log: Log, settings: Settings, own_broker: OwnBroker
) -> None:
    told: dict[str, str] = {}
    under_way = asyncio.Event()

    async def write(person: Person) -> None:
        while len(told) < 3000:
            wanted = uuid.uuid4()
            try:
                await log.append(*person.says("words", id=wanted))
                told[str(wanted)] = "written"
            except BrokerUnavailable:
                told[str(wanted)] = "not written"
            except AppendUnknown:
                told[str(wanted)] = "unknown"
            if len(told) > 1000:
                under_way.set()

    async def kill_and_start() -> None:
        await under_way.wait()
        own_broker.kill()
        await asyncio.sleep(2 * WITHIN)
        await asyncio.to_thread(own_broker.start)

    await asyncio.gather(kill_and_start(), *(write(Person()) for _ in range(20)))
    await log.append(*Person().says("the last"))
    there = Counter(header(record, "ce_id") for record in await read_all(settings))
    assert max(there.values()) == 1
    assert set(told.values()) >= {"written", "unknown"}
    assert [id for id, what in told.items() if what == "written" and not there[id]] == []
    assert [id for id, what in told.items() if what == "not written" and there[id]] == []
