"""Versioned appends, claims and waiting, against the real projector."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest
from tests.conftest import with_database
from tests.log.helpers import Person, read_all

from liminal.log import ClaimTaken, Log, Meta, Position, Stale, VersionConflict
from liminal.log.events import ConversationCreated, ConversationRenamed
from liminal.projector.resources import open_resources
from liminal.projector.worker import Worker
from liminal.settings import Settings, read_settings
from liminal.stack.embedded import Services


@asynccontextmanager
async def projecting(settings: Settings) -> AsyncGenerator[None]:
    """The projector runs."""
    async with open_resources(settings) as resources:
        worker = Worker(resources)
        task = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            worker.stop()
            await task


@pytest.fixture(scope="module")
async def judged(services: Services, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Log]:
    """A log that the projector folds, for all tests of this module that can share one."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    server = await asyncpg.connect(services.database_url)
    await server.execute(f'CREATE DATABASE "{name}"')
    settings = read_settings(
        home=tmp_path_factory.mktemp("judged"),
        database_url=with_database(services.database_url, name),
        kafka_bootstrap_servers=services.kafka_bootstrap_servers,
        redis_url=services.redis_url,
        topic=f"t.{name}",
    )
    async with Log.open(settings) as log, projecting(settings):
        yield log
    await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await server.close()


@pytest.fixture
def address() -> str:
    """An e-mail address that nobody has claimed."""
    return f"heron-{uuid.uuid4()}@Reeds.org"


def renamed(person: Person, title: str) -> tuple[ConversationRenamed, Meta]:
    return ConversationRenamed(conversation_id=person.conversation, title=title), person.meta()


async def test_of_many_writers_at_one_version_one_is_accepted_and_the_others_are_told(judged: Log) -> None:
    person = Person()
    await judged.append(ConversationCreated(conversation_id=person.conversation), person.meta(), 0)
    outcomes = await asyncio.gather(
        *(judged.append(*renamed(person, str(i)), expected_version=1) for i in range(64)),
        return_exceptions=True,
    )
    conflicts = [error for error in outcomes if isinstance(error, VersionConflict)]
    assert len(conflicts) == 63
    assert sum(isinstance(outcome, Position) for outcome in outcomes) == 1
    assert {(error.expected, error.actual) for error in conflicts} == {(1, 2)}
    assert conflicts[0].stream == f"conversation-{person.conversation}"


async def test_a_command_that_many_tasks_give_at_once_is_accepted_for_all(judged: Log) -> None:
    person = Person()
    meta = replace(person.meta(), id=uuid.uuid4())
    created = ConversationCreated(conversation_id=person.conversation)
    began = time.monotonic()
    positions = await asyncio.gather(*(judged.append(created, meta, expected_version=0) for _ in range(16)))
    assert len(set(positions)) == 16
    assert time.monotonic() - began < judged.settings.verdict_timeout / 2


async def test_repeating_an_accepted_command_under_its_id_is_accepted_again(judged: Log) -> None:
    person, command = Person(), uuid.uuid4()
    created = ConversationCreated(conversation_id=person.conversation)
    await judged.append(created, person.meta(id=command), 0)
    await judged.append(created, person.meta(id=command), 0)
    with pytest.raises(VersionConflict):
        await judged.append(created, person.meta(), 0)


async def test_of_many_who_claim_one_address_one_gets_it(judged: Log, address: str) -> None:
    outcomes = await asyncio.gather(
        *(judged.claim("email", address, f"holder-{i}") for i in range(20)), return_exceptions=True
    )
    winners = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(winners) == 1
    assert all(isinstance(error, ClaimTaken) for error in outcomes if isinstance(error, BaseException))
    records = await read_all(judged.settings)
    assert b"heron" not in b"".join(part for r in records for part in (r.key, r.value)).lower()


async def test_a_claim_is_one_whatever_its_case_and_another_for_another_kind(
    judged: Log, address: str
) -> None:
    await judged.claim("email", f"Straße-{address}", "one")
    with pytest.raises(ClaimTaken):
        await judged.claim("email", f" STRASSE-{address.upper()} ", "two")
    await judged.claim("name", f"Straße-{address}", "two")


async def test_a_claim_that_is_given_up_can_be_had_by_another_and_no_more_by_the_first(
    judged: Log, address: str
) -> None:
    first = await judged.claim("email", address, "one")
    await judged.release(first)
    second = await judged.claim("email", address, "two")
    assert second.version == 3
    with pytest.raises(VersionConflict):
        await judged.release(first)
    with pytest.raises(ClaimTaken):
        await judged.claim("email", address, "one")


async def test_a_claim_repeated_by_the_same_command_is_the_same_claim(judged: Log, address: str) -> None:
    command = uuid.uuid4()
    first = await judged.claim("email", address, "one", id=command)
    assert await judged.claim("email", address, "one", id=command) == first


async def test_who_waited_for_a_position_sees_it(judged: Log) -> None:
    for _ in range(20):
        person = Person()
        created = ConversationCreated(conversation_id=person.conversation, title="Herons")
        position = await judged.append(created, person.meta())
        await judged.wait_for(position, "conversations")
        title = await judged.pool.fetchval(
            "SELECT title FROM read.conversations WHERE conversation_id = $1", person.conversation
        )
        assert title == "Herons"
        await judged.wait_for(position)


async def test_a_position_that_nothing_reaches_is_stale_in_time(judged: Log) -> None:
    begun = time.monotonic()
    with pytest.raises(Stale, match=r"0:1000000 within 0\.2 s"):
        await judged.wait_for(Position(0, 1_000_000), timeout=0.2)
    with pytest.raises(Stale, match="no_such_projection did not reach"):
        await judged.wait_for(Position(0, 0), "no_such_projection", timeout=0.2)
    assert time.monotonic() - begun < 1


async def test_without_a_projector_a_versioned_append_says_that_it_is_not_judged(settings: Settings) -> None:
    person = Person()
    async with Log.open(settings.model_copy(update={"verdict_timeout": 0.3})) as log:
        with pytest.raises(Stale, match="it is on the log and will be judged"):
            await log.append(ConversationCreated(conversation_id=person.conversation), person.meta(), 0)
    assert len(await read_all(settings)) == 1


async def test_who_waits_before_the_projectors_first_start_is_woken_by_it(
    log: Log, settings: Settings
) -> None:
    person = Person()
    append = asyncio.create_task(
        log.append(ConversationCreated(conversation_id=person.conversation), person.meta(), 0)
    )
    await asyncio.sleep(0.2)
    async with projecting(settings):
        assert (await append).offset == 0


async def test_who_waits_goes_on_when_the_listening_connection_was_lost(log: Log, settings: Settings) -> None:
    async with projecting(settings):
        person = Person()
        await log.append(ConversationCreated(conversation_id=person.conversation), person.meta(), 0)
        await log.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        for version in range(1, 6):
            position = await log.append(*renamed(person, str(version)), expected_version=version)
            await log.wait_for(position, "conversations")
