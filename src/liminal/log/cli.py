"""The commands `liminal log …`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated, Any, BinaryIO
from uuid import UUID

import orjson
import typer
from rich.console import Console
from rich.table import Table

from liminal.log.errors import LogError
from liminal.log.keys import ask_master_key, open_vault
from liminal.log.look import Counts, Seen, find_event, last_events, see, span
from liminal.log.meter import Meter
from liminal.log.position import Position
from liminal.log.read import Filter, open_reader, parse_since
from liminal.log.show import show_event, show_line
from liminal.log.stored import Stored
from liminal.settings import Settings, load_settings, read_settings
from liminal.storage.vault import Vault

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    help="Read the log, and carry it elsewhere. A place on the log is a position (0:42), a time "
    "(2026-11-23T10:00:00Z) or how long ago (10m).",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
Decrypt = Annotated[bool, typer.Option("--decrypt", help="Decrypt personal fields; asks for the master key.")]
Types = Annotated[
    list[str] | None, typer.Option("--type", "-t", help="Event type, * for any part; may be repeated.")
]
Owner = Annotated[str | None, typer.Option(help="Whose events.")]
Stream = Annotated[str | None, typer.Option(help="One stream, * for any part.")]
Since = Annotated[str | None, typer.Option(help="From a position (of its partition), a time, or 10m ago.")]


@app.command()
def tail(
    count: Annotated[int, typer.Option("--count", "-n", help="How many, when there is no --since.")] = 20,
    type_: Types = None,
    owner: Owner = None,
    stream: Stream = None,
    since: Since = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    decrypt: Decrypt = False,
    as_json: Json = False,
) -> None:
    """Show the newest events, one a line.

    Personal fields are shown as stored, sealed. With --json a line is what `log export` writes.

    [dim]$ liminal log tail -f --type 'message.*' --since 10m[/]
    """
    wanted = _filter(type_, owner, stream)
    settings = _settings(decrypt)

    async def run() -> None:
        async with open_reader(settings) as reader, _vault(settings, decrypt) as vault:
            if since is None:
                records, go_on = await last_events(reader, wanted, count)
                _print_lines(await see(records, vault), as_json)
            else:
                start, go_on = await span(reader, wanted, parse_since(since))
                async for records in reader.upto(start, go_on):
                    _print_lines(await see(filter(wanted.wants, records), vault), as_json)
            if follow:
                async for records in reader.follow(go_on):
                    _print_lines(await see(filter(wanted.wants, records), vault), as_json)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


@app.command()
def inspect(
    place: Annotated[str, typer.Argument(help="A position (0:42) or an event id.")],
    decrypt: Decrypt = False,
    as_json: Json = False,
) -> None:
    """Show one event in full: its envelope, its data, and which fields are personal.

    [dim]$ liminal log inspect 0:0[/]
    """
    settings = _settings(decrypt)

    async def run() -> Seen:
        async with open_reader(settings) as reader, _vault(settings, decrypt) as vault:
            with contextlib.suppress(ValueError):
                return (await see([await reader.one(Position.parse(place))], vault))[0]
            with Meter("looking", None) as meter:
                record = await find_event(reader, _event_id(place), meter.advance)
            return (await see([record], vault))[0]

    seen = asyncio.run(run())
    if not isinstance(seen, Stored):
        raise seen
    if as_json:
        _print_json(seen.as_dict())
    else:
        show_event(Console(), seen)


@app.command()
def stats(since: Since = None, owner: Owner = None, stream: Stream = None, as_json: Json = False) -> None:
    """Count events and bytes, by type, day and partition.

    [dim]$ liminal log stats --since 1d[/]
    """
    settings = load_settings()
    wanted = _filter(None, owner, stream)

    async def run() -> dict[str, Any]:
        counts = Counts()
        async with open_reader(settings) as reader:
            first, end = await reader.bounds()
            from_, to = await span(reader, wanted, None if since is None else parse_since(since))
            with Meter("counting", sum(to[p] - from_[p] for p in to)) as meter:
                async for records in reader.upto(from_, to):
                    counts.add(filter(wanted.wants, records))
                    meter.advance(len(records))
        partitions = [{"partition": p, "first": first[p], "end": end[p]} for p in sorted(end)]
        return {"topic": settings.topic, **counts.as_dict(), "partitions": partitions}

    found = asyncio.run(run())
    if as_json:
        _print_json(found)
    else:
        _print_stats(found)


@app.command("export")
def export_(
    file: Annotated[Path, typer.Argument(help="Where to; - for standard output.", dir_okay=False)],
    type_: Types = None,
    owner: Owner = None,
    stream: Stream = None,
    since: Since = None,
    decrypt: Decrypt = False,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Add the owners' data keys, wrapped by the master key.")
    ] = False,
) -> None:
    """Write the log as JSON lines, encrypted as stored.

    An event is a line; each owner's events keep their order. The file appears when it is whole.

    [dim]$ liminal log export backup.jsonl --with-keys[/]
    """
    from liminal.log.exporting import export_log

    if decrypt and with_keys:
        raise LogError("--with-keys is for an encrypted export: choose it or --decrypt")
    settings = _settings(decrypt)
    place = None if since is None else parse_since(since)
    wanted = _filter(type_, owner, stream)

    async def run(out: BinaryIO) -> int:
        async with open_reader(settings) as reader, _vault(settings, decrypt or with_keys) as vault:
            start, end = await span(reader, wanted, place)
            with Meter("exporting", sum(end[p] - start[p] for p in end)) as meter:
                return await export_log(
                    reader, wanted, start, end, out,
                    decrypt_with=vault if decrypt else None,
                    keys_from=vault if with_keys else None,
                    advance=meter.advance,
                )  # fmt: skip

    if str(file) == "-":
        asyncio.run(run(sys.stdout.buffer))
        return
    draft = file.with_name(f".{file.name}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            written = asyncio.run(run(out))
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    typer.echo(f"{written:,} events in {file}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="An export; - for standard input.", dir_okay=False)],
    as_json: Json = False,
) -> None:
    """Append the events of an export, each once.

    Ids, times and each owner's order are kept. All lines are checked before the first is written; what the
    log holds already is passed over, so the same file can be imported again, and a broken-off import goes on
    where it stopped.

    [dim]$ liminal log import backup.jsonl[/]
    """
    from liminal.log.importing import Import, Imported
    from liminal.log.producer import Producer
    from liminal.log.topic import ensure_topic

    settings = load_settings()

    async def run(path: Path) -> Imported:
        await ensure_topic(settings)
        producer = Producer(settings)
        await producer.start()
        try:
            async with open_vault(settings) as vault, open_reader(settings) as reader:
                return await Import(settings, path, reader, producer, vault).run(Meter)
        finally:
            await producer.stop()

    with _as_file(file) as path:
        done = asyncio.run(run(path))
    if as_json:
        _print_json(
            {"written": done.written, "held": done.held, "keys": done.keys, "resumed_lines": done.resumed}
        )
        return
    typer.echo(f"{done.written:,} events written, {done.held:,} were on the log already")
    if done.resumed:
        typer.echo(f"an earlier import had come to line {done.resumed:,}")
    if done.keys:
        typer.echo(f"{done.keys:,} data keys added to the vault")


@app.command()
def spec() -> None:
    """Print the AsyncAPI document of the log.

    [dim]$ liminal log spec > asyncapi.json[/]
    """
    from liminal.log.spec import make_spec

    _print_json(make_spec(read_settings()))


@app.command()
def schemas(
    check: Annotated[bool, typer.Option("--check", help="Compare schemas/ with the code.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write schemas/ from the code.")] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Write them, and fix every version for good.")
    ] = False,
) -> None:
    """Compare, write or publish the JSON Schemas of the event types (in a checkout).

    A published version never changes: a change needs a class of the next version and an upcaster.

    [dim]$ liminal log schemas --check[/]
    """
    from liminal.log.schemas import find_differences, publish_schemas, schemas_folder, write_schemas

    if check + write + publish != 1:
        raise LogError("give one of --check, --write and --publish")
    folder = schemas_folder()
    if check:
        found = find_differences(folder)
        for sentence in found:
            typer.echo(sentence)
        raise typer.Exit(1 if found else 0)
    for name in publish_schemas(folder) if publish else write_schemas(folder):
        typer.echo(name)


def _settings(decrypt: bool) -> Settings:
    settings = load_settings()
    return ask_master_key(settings) if decrypt else settings


@contextlib.asynccontextmanager
async def _vault(settings: Settings, wanted: bool) -> AsyncGenerator[Vault | None]:
    if not wanted:
        yield None
        return
    async with open_vault(settings) as vault:
        yield vault


@contextlib.contextmanager
def _as_file(file: Path) -> Any:
    """The file itself, or standard input copied to one, because an import reads twice."""
    if str(file) != "-":
        if not file.is_file():
            raise LogError(f"there is no file {file}")
        yield file
        return
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as copy:
        while chunk := sys.stdin.buffer.read(1 << 20):
            copy.write(chunk)
        copy.flush()
        yield Path(copy.name)


def _filter(types: list[str] | None, owner: str | None, stream: str | None) -> Filter:
    return Filter(tuple(types) if types else None, owner, stream)


def _event_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise LogError(f"{text!r} is neither a position (0:42) nor an event id") from None


def _print_json(value: Any) -> None:
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _print_lines(seen: list[Seen], as_json: bool) -> None:
    for one in seen:
        if not as_json:
            typer.echo(show_line(one))
        elif isinstance(one, Stored):
            typer.echo(orjson.dumps(one.as_dict()).decode())
        else:
            typer.echo(orjson.dumps({"error": one.message, **one.details}).decode())


def _print_stats(found: dict[str, Any]) -> None:
    console = Console()
    console.print(
        f"{found['topic']}: {found['events']:,} events, {found['bytes']:,} bytes before compression, "
        f"{found['owners']:,} owners, {found['streams']:,} streams"
    )
    if found["events"]:
        console.print(f"from {found['first_time']} to {found['last_time']}")
    for title, rows in (("types", "types"), ("days", "days"), ("partitions", "partitions")):
        if found[rows]:
            table = Table(*found[rows][0], title=title, title_justify="left")
            for row in found[rows]:
                table.add_row(*(f"{v:,}" if isinstance(v, int) else v for v in row.values()))
            console.print(table)
