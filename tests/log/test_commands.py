"""`liminal log …`: reading the log, and carrying it elsewhere."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.log.helpers import Person, header, read_all
from typer.testing import CliRunner, Result

from liminal.log import Log
from liminal.log.cli import app
from liminal.log.errors import ImportRefused, LogError
from liminal.log.events import ConversationCreated, ConversationDeleted
from liminal.log.importing import Import, cursor_path
from liminal.settings import Settings
from liminal.storage.errors import MasterKeyError

Run = Callable[..., Coroutine[Any, Any, Result]]
PLANTED = "the heron stands in the reeds at dawn"


def use(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Let commands find these settings, as an operator's shell would give them."""
    for name, value in {
        "LIMINAL_HOME": settings.home,
        "LIMINAL_TOPIC": settings.topic,
        "LIMINAL_PARTITIONS": settings.partitions,
        "DATABASE_URL": settings.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "REDIS_URL": settings.redis_url,
    }.items():
        monkeypatch.setenv(name, str(value))


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command; what it raises is raised here."""
    use(monkeypatch, settings)

    async def command(*args: str, stdin: bytes | None = None) -> Result:
        result = await asyncio.to_thread(CliRunner().invoke, app, args, input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result

    return command


@pytest.fixture
def with_master_key(log: Log, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The master key is at hand."""
    monkeypatch.setenv("LIMINAL_MASTER_KEY", (settings.home / "master.key").read_text().strip())


@pytest.fixture
async def fresh(settings: Settings, tmp_path: Path) -> AsyncGenerator[Settings]:
    """Settings of another topic and home, on the same database: the same vault."""
    other = settings.model_copy(update={"topic": f"{settings.topic}.fresh"})
    async with Log.open(other):
        yield other


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


async def talk(log: Log, people: int = 3, each: int = 5) -> list[Person]:
    """Some people say some words in turn."""
    them = [Person() for _ in range(people)]
    begun = datetime.now(UTC) - timedelta(minutes=5)
    for i in range(each):
        for j, person in enumerate(them):
            when = begun + timedelta(seconds=i * people + j)
            await log.append(*person.says(f"{PLANTED} {i}", time=when))
    return them


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
        (str(uuid.uuid4()), "no event has the id"),
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


def contents(records: list[Any]) -> list[tuple[Any, ...]]:
    """What must survive an export and an import."""
    return sorted((r.key, r.timestamp, r.value, r.headers) for r in records)


def by_owner(records: list[Any]) -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = {}
    for record in sorted(records, key=lambda r: r.offset):
        found.setdefault(record.key, []).append(header(record, "ce_id"))
    return found


async def test_an_export_imported_elsewhere_is_the_same_log(
    log: Log, run: Run, settings: Settings, fresh: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk(log, people=5, each=50)
    file = tmp_path / "log.jsonl"
    assert "250 events" in (await run("export", str(file))).stdout
    assert PLANTED not in file.read_text()
    before = await read_all(settings)
    use(monkeypatch, fresh)
    assert "250 events written, 0 were" in (await run("import", str(file))).stdout
    assert contents(await read_all(fresh)) == contents(before)
    assert by_owner(await read_all(fresh)) == by_owner(before)
    assert "0 events written, 250 were" in (await run("import", str(file))).stdout
    assert len(await read_all(fresh)) == 250


async def test_an_import_adds_only_what_is_missing(
    log: Log, run: Run, settings: Settings, fresh: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk(log, people=2, each=10)
    half, whole = tmp_path / "half.jsonl", tmp_path / "whole.jsonl"
    await run("export", str(half))
    await talk(log, people=2, each=10)
    await run("export", str(whole))
    use(monkeypatch, fresh)
    await run("import", str(half))
    done = json.loads((await run("import", str(whole), "--json")).stdout)
    assert done == {"written": 20, "held": 20, "keys": 0, "resumed_lines": 0}
    assert contents(await read_all(fresh)) == contents(await read_all(settings))


async def test_an_export_to_standard_output_is_imported_from_standard_input(
    log: Log, run: Run, fresh: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk(log)
    exported = (await run("export", "-")).stdout_bytes
    use(monkeypatch, fresh)
    assert "15 events written" in (await run("import", "-", stdin=exported)).stdout


@pytest.mark.usefixtures("with_master_key")
async def test_a_decrypted_export_is_encrypted_anew_and_what_was_erased_stays_sealed(
    log: Log, run: Run, fresh: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, there = await talk(log, people=2, each=1)
    await log.vault.erase(gone.id)
    file = tmp_path / "log.jsonl"
    await run("export", str(file), "--decrypt")
    assert file.stat().st_mode & 0o777 == 0o600
    exported = {line["owner"]: line for line in map(json.loads, file.read_text().splitlines())}
    assert exported[there.id]["data"]["content"] == f"{PLANTED} 0"
    assert exported[gone.id]["sealed"] == ["content"]
    use(monkeypatch, fresh)
    await run("import", str(file))
    records = await read_all(fresh)
    assert PLANTED.encode() not in b"".join(record.value for record in records)
    opened = {flat["_owner"]: flat["content"] for flat in await log.decoder.decode(records)}
    assert opened == {there.id: f"{PLANTED} 0", gone.id: None}


@pytest.mark.usefixtures("with_master_key")
async def test_an_export_with_keys_can_be_read_by_another_installation_with_the_same_master_key(
    log: Log,
    run: Run,
    fresh: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone, _ = await talk(log, people=2, each=2)
    await log.vault.erase(gone.id)
    with_keys, without = tmp_path / "with.jsonl", tmp_path / "without.jsonl"
    await run("export", str(with_keys), "--with-keys")
    await run("export", str(without))
    assert "vault_key" in with_keys.read_text()
    assert "vault_key" not in without.read_text()
    await log.pool.execute("DELETE FROM vault.data_keys")
    use(monkeypatch, fresh)
    assert "2 data keys added" in (await run("import", str(with_keys))).stdout
    async with Log.open(fresh) as elsewhere:
        said = {flat["content"] for flat in await elsewhere.decoder.decode(await read_all(fresh))}
    assert said == {None, f"{PLANTED} 0", f"{PLANTED} 1"}


class BrokenOff(Exception):
    """What an import died of."""


async def test_an_import_that_breaks_off_goes_on_where_it_stopped(
    log: Log, run: Run, settings: Settings, fresh: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk(log, people=4, each=25)
    file = tmp_path / "log.jsonl"
    await run("export", str(file))
    use(monkeypatch, fresh)
    monkeypatch.setattr("liminal.log.importing.CHUNK", 30)
    write, chunks = Import._write, 0

    async def break_off(self: Import, *args: Any) -> None:
        nonlocal chunks
        chunks += 1
        await write(self, *args)
        if chunks == 3:
            raise BrokenOff

    with monkeypatch.context() as patch:
        patch.setattr(Import, "_write", break_off)
        with pytest.raises(BrokenOff):
            await run("import", str(file))
    assert len(await read_all(fresh)) == 90
    assert cursor_path(fresh, file).exists()
    done = json.loads((await run("import", str(file), "--json")).stdout)
    assert done == {"written": 10, "held": 30, "keys": 0, "resumed_lines": 60}
    assert contents(await read_all(fresh)) == contents(await read_all(settings))
    assert not cursor_path(fresh, file).exists()


async def test_a_cursor_of_another_log_is_not_believed(
    log: Log, run: Run, fresh: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk(log)
    file = tmp_path / "log.jsonl"
    await run("export", str(file))
    stat = file.stat()
    use(monkeypatch, fresh)
    cursor = {
        "file": str(file.resolve()), "file_size": stat.st_size, "file_changed": stat.st_mtime_ns,
        "topic": fresh.topic, "byte": stat.st_size, "lines": 15, "ends": {"0": 1_000_000},
    }  # fmt: skip
    cursor_path(fresh, file).parent.mkdir(parents=True, exist_ok=True)
    cursor_path(fresh, file).write_text(json.dumps(cursor))
    assert "15 events written" in (await run("import", str(file))).stdout


def spoiled(line: str, *path: str, by: Any) -> str:
    """The line with another value at a path; None takes it away."""
    whole = found = json.loads(line)
    for step in path[:-1]:
        found = found[step]
    if by is None:
        del found[path[-1]]
    else:
        found[path[-1]] = by
    return json.dumps(whole)


async def test_a_bad_line_is_refused_before_the_first_is_written(
    log: Log, run: Run, fresh: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk(log, people=1, each=3)
    *good, line = (await run("export", "-")).stdout.splitlines()
    file = tmp_path / "log.jsonl"
    use(monkeypatch, fresh)
    for bad, said in [
        ("{", "line 3 is not JSON"),
        ("[]", "line 3 is not an object"),
        (spoiled(line, "type", by="message.sung"), r"line 3: .*message\.sung"),
        (spoiled(line, "data", "content", by="words"), "line 3: .*content.*must be encrypted"),
        (spoiled(line, "data", "role", by="ghost"), "line 3: .*role"),
        (spoiled(line, "stream", by="account-1"), r"line 3: .*meta\.stream"),
        (spoiled(line, "owner", by=None), "line 3: owner"),
        (spoiled(line, "id", by="7"), "line 3: id"),
        (spoiled(line, "time", by="noon"), "line 3: .*noon"),
        (spoiled(line, "data", "content", by="enc:1:" + "A" * 1_100_000), "line 3: .*blob store"),
    ]:
        file.write_text("\n".join([*good, bad]) + "\n")
        with pytest.raises(ImportRefused, match=said):
            await run("import", str(file))
    assert await read_all(fresh) == []


async def test_a_file_that_is_not_there_is_said_to_be_missing(run: Run) -> None:
    with pytest.raises(LogError, match="no file"):
        await run("import", "nowhere.jsonl")


async def test_spec_prints_the_asyncapi_document(run: Run) -> None:
    assert json.loads((await run("spec")).stdout)["asyncapi"] == "3.0.0"


async def test_schemas_are_as_the_code_says(run: Run) -> None:
    assert (await run("schemas", "--check")).stdout == ""
