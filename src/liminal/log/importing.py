"""Import: JSON lines of an export onto the log, each event once, however often it is tried.

Every line is checked before the first is written. An event whose id the topic already holds is passed over. A
cursor under the home folder lets a broken-off import go on where it stopped.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Generator, Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from liminal.errors import LiminalError
from liminal.log.envelope import Envelope, Meta, check_meta, check_size, make_headers
from liminal.log.errors import ImportRefused
from liminal.log.event import event_class
from liminal.log.keys import import_keys
from liminal.log.personal import PREFIX, personal_fields
from liminal.log.producer import Producer
from liminal.log.read import Reader
from liminal.log.seal import context_of, rewrite
from liminal.log.stored import timestamp_ms
from liminal.settings import Settings
from liminal.storage.vault import DataKey, Vault

CHUNK = 10_000
"""Lines between two writes of the cursor."""
UUID_PATTERN = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
SMALL = 0.9
"""Share of the size limit up to which a line need not be measured exactly."""


class Line(BaseModel):
    """One event of an export; ``sealed`` is there when the export was decrypted."""

    model_config = ConfigDict(extra="forbid")

    position: str
    id: Annotated[str, Field(pattern=UUID_PATTERN)]
    type: str
    version: int
    time: str
    owner: str
    tenant: str
    actor: str
    stream: str
    source: str
    causation: str | None
    correlation: str | None
    expected_version: int | None
    data: dict[str, Any]
    sealed: list[str] | None = None


class Raw(NamedTuple):
    """A line of the file: its number from 1, where the next one begins, its JSON."""

    number: int
    end: int
    value: dict[str, Any]
    size: int


@dataclass(slots=True)
class Cursor:
    """How far an import came: everything before ``byte`` is on the topic, whose ends were ``ends`` then."""

    file: str
    file_size: int
    file_changed: int
    topic: str
    byte: int = 0
    lines: int = 0
    ends: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(slots=True)
class Imported:
    """Events written, events that were there already, keys added, and lines that an earlier try did."""

    written: int = 0
    held: int = 0
    keys: int = 0
    resumed: int = 0


class Import:
    """One import of one file."""

    def __init__(
        self, settings: Settings, path: Path, reader: Reader, producer: Producer, vault: Vault
    ) -> None:
        self._settings = settings
        self._path = path
        self._reader = reader
        self._producer = producer
        self._vault = vault
        self._cursor_path = cursor_path(settings, path)
        self._ids: set[bytes] = set()
        self._earliest: int | None = None
        self._vault_keys: list[dict[str, Any]] = []
        self._owners_to_seal: set[str] = set()

    async def run(self, meter: Callable[[str, int | None], Any]) -> Imported:
        """Check, then write. ``meter(what, total)`` makes the context that shows progress.

        Raises ImportRefused, with nothing written, for a line that is not a valid event, and what
        ``Log.append_many`` raises of the broker: then the same command goes on where it stopped.
        """
        cursor = await self._load_cursor()
        done = Imported(resumed=cursor.lines)
        with meter("checking", None) as progress:
            for chunk in _chunks(self._lines(cursor), CHUNK // 10):
                for raw in chunk:
                    self._check(raw)
                progress.advance(len(chunk))
        done.keys = await import_keys(self._vault, self._vault_keys)
        await self._vault.make_keys(self._owners_to_seal)
        held = await self._held(meter)
        with meter("importing", len(self._ids)) as progress:
            for chunk in _chunks(self._lines(cursor), CHUNK):
                await self._write(chunk, held, done)
                await self._save_cursor(cursor, chunk[-1])
                progress.advance(len(chunk))
        self._cursor_path.unlink(missing_ok=True)
        return done

    def _lines(self, cursor: Cursor) -> Generator[Raw]:
        with self._path.open("rb") as file:
            end = file.seek(cursor.byte)
            for number, text in enumerate(file, cursor.lines + 1):
                try:
                    value = orjson.loads(text)
                except orjson.JSONDecodeError as error:
                    raise ImportRefused(f"line {number} is not JSON: {error}", line=number) from error
                if not isinstance(value, dict):
                    raise ImportRefused(f"line {number} is not an object", line=number)
                end += len(text)
                yield Raw(number, end, value, len(text))

    def _check(self, raw: Raw) -> None:
        if "vault_key" in raw.value:
            self._vault_keys.append(raw.value["vault_key"])
            return
        try:
            line = Line.model_validate(raw.value)
            cls = event_class(line.type, line.version)
            cls.check_stored(line.data, partly=line.sealed is not None)
            check_meta(cls, _meta(line))
            at = timestamp_ms(line.time)
            if raw.size > self._settings.max_event_bytes * SMALL:
                check_size(make_envelope(line), line.type, self._settings.max_event_bytes)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            path = ".".join(str(step) for step in first["loc"])
            raise ImportRefused(f"line {raw.number}: {path}: {first['msg']}", line=raw.number) from error
        except (LiminalError, ValueError) as error:
            raise ImportRefused(f"line {raw.number}: {error}", line=raw.number) from error
        if is_open(line):
            self._owners_to_seal.add(line.owner)
        self._ids.add(line.id.encode())
        self._earliest = at if self._earliest is None else min(self._earliest, at)

    async def _held(self, meter: Callable[[str, int | None], Any]) -> set[bytes]:
        """Which of the file's ids the topic holds; they lie only where records are as old as the file's."""
        if self._earliest is None:
            return set()
        start = await self._reader.offsets_at(datetime.fromtimestamp(self._earliest / 1000, UTC))
        _, end = await self._reader.bounds()
        held: set[bytes] = set()
        with meter("comparing with the log", sum(end[p] - o for p, o in start.items())) as progress:
            async for batch in self._reader.upto(start, end):
                held.update(self._ids.intersection(dict(r.headers).get("ce_id", b"") for r in batch))
                progress.advance(len(batch))
        return held

    async def _write(self, chunk: list[Raw], held: set[bytes], done: Imported) -> None:
        fresh: list[Line] = []
        for raw in chunk:
            if "vault_key" in raw.value:
                continue
            line = Line.model_construct(**{"sealed": None, **raw.value})  # checked before
            identity = line.id.encode()
            if identity in held:
                done.held += 1
            else:
                held.add(identity)
                fresh.append(line)
        to_seal = [line for line in fresh if is_open(line)]
        keys = await self._vault.make_keys(line.owner for line in to_seal)
        for line in to_seal:
            seal_line(line, keys[line.owner])
        await self._producer.send_all(map(make_envelope, fresh), self._settings.append_timeout)
        done.written += len(fresh)

    async def _load_cursor(self) -> Cursor:
        stat = self._path.stat()
        fresh = Cursor(str(self._path.resolve()), stat.st_size, stat.st_mtime_ns, self._settings.topic)
        if not self._cursor_path.exists():
            return fresh
        saved = Cursor(**orjson.loads(self._cursor_path.read_bytes()))
        same = (saved.file, saved.file_size, saved.file_changed, saved.topic) == (
            fresh.file, fresh.file_size, fresh.file_changed, fresh.topic,
        )  # fmt: skip
        _, ends = await self._reader.bounds()
        grown = all(ends.get(int(partition), 0) >= end for partition, end in saved.ends.items())
        return saved if same and grown else fresh

    async def _save_cursor(self, cursor: Cursor, last: Raw) -> None:
        cursor.byte, cursor.lines = last.end, last.number
        cursor.ends = {str(p): end for p, end in (await self._reader.bounds())[1].items()}
        self._cursor_path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._cursor_path.with_suffix(".part")
        draft.write_bytes(orjson.dumps(asdict(cursor)))
        draft.replace(self._cursor_path)


def cursor_path(settings: Settings, path: Path) -> Path:
    """Where the cursor of an import of this file lies while it is not finished."""
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    return settings.home / "imports" / f"{name}.json"


def make_envelope(line: Line) -> Envelope:
    """The envelope of a line as it is."""
    return Envelope(
        id=UUID(line.id),
        key=line.owner.encode(),
        value=orjson.dumps(line.data),
        headers=make_headers(
            event_id=line.id,
            type_=line.type,
            dataschema=f"{line.type}.v{line.version}",
            source=line.source,
            stream=line.stream,
            time=line.time,
            tenant=line.tenant,
            actor=line.actor,
            causation=line.causation,
            correlation=line.correlation,
            expected_version=line.expected_version,
        ),
        timestamp_ms=timestamp_ms(line.time),
    )


def is_open(line: Line) -> bool:
    """Whether the line holds a personal value that is not sealed."""
    if line.sealed is None:
        return False
    paths: set[str] = set()

    def note(value: Any, path: str) -> Any:
        paths.add(path)
        return value

    for personal in personal_fields(event_class(line.type, line.version)):
        rewrite(line.data, personal.path, note)
    return not paths <= set(line.sealed)


def seal_line(line: Line, key: DataKey) -> None:
    """Encrypt, in place, the personal fields of a decrypted line that ``sealed`` does not list."""
    sealed = frozenset(line.sealed or ())

    def seal(value: Any, path: str, text: bool) -> str:
        if path in sealed:
            return value
        plain = value.encode() if text else orjson.dumps(value)
        return PREFIX + key.seal(plain, context_of(line.owner.encode(), line.id.encode(), path))

    for personal in personal_fields(event_class(line.type, line.version)):
        rewrite(line.data, personal.path, lambda value, path, text=personal.text: seal(value, path, text))


def _meta(line: Line) -> Meta:
    return Meta(owner=line.owner, tenant=line.tenant, actor=line.actor, stream=line.stream)


def _chunks(lines: Iterable[Raw], size: int) -> Generator[list[Raw]]:
    iterator = iter(lines)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
