"""`liminal log` export and import: the log carried elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.log.helpers import PLANTED, Run, header, read_all, talk, use

from liminal.log import Log
from liminal.log.errors import ImportRefused, LogError
from liminal.log.importing import Import, cursor_path
from liminal.settings import Settings


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
