"""What is folded at once: consecutive events of one partition, and their form for Postgres."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import orjson

from liminal.log.decode import Decoder, Flat
from liminal.projector.definition import ANY, VERDICT
from liminal.projector.event import Event, Reading, Record, read_event, reading_for
from liminal.projector.generation import Generation, quoted
from liminal.projector.session import patiently

SLICE = 40
"""Records decoded before the statement that Postgres works on gets its turn: under a millisecond."""
NUL = b"\\u0000"
"""The one character of JSON that no text in Postgres can hold; read models have U+FFFD in its place."""


@dataclass(slots=True)
class Batch:
    """Every record of one partition from ``start`` to before ``end``.

    Attributes:
        partition: the partition.
        start: the offset that the folder's checkpoint must stand at.
        end: the checkpoint afterwards.
        records: as they lie on the log.
        events: the events of these records; between two barriers their order does not matter.
    """

    partition: int
    start: int
    end: int
    records: Sequence[Record]
    events: Sequence[Event]

    @property
    def versioned(self) -> list[Event]:
        """The events that expect a version of their stream, in order."""
        versioned = [event for event in self.events if event.expected is not None]
        versioned.sort(key=attrgetter("offset"))
        return versioned

    @property
    def last_time(self) -> datetime | None:
        """When its last record was appended, by the producer's clock."""
        return datetime.fromtimestamp(self.records[-1].timestamp / 1000, UTC) if self.records else None

    def between(self, start: int, end: int) -> Batch:
        """The part from offset ``start`` to before ``end``."""
        kept = [index for index, event in enumerate(self.events) if start <= event.offset < end]
        records = [self.records[index] for index in kept]
        return Batch(self.partition, start, end, records, [self.events[index] for index in kept])


async def decode_batch(
    decoder: Decoder, reading: Reading, partition: int, start: int, end: int, records: Sequence[Record]
) -> Batch:
    """Decode records, giving way to other tasks every few of them."""
    keys = await patiently(lambda: decoder.keys(records))
    events: list[Event] = []
    for first in range(0, len(records), SLICE):
        events.extend(read_event(record, keys, reading) for record in records[first : first + SLICE])
        await asyncio.sleep(0)
    return Batch(partition, start, end, records, events)


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdicts on a batch's versioned events.

    Attributes:
        rows: one per versioned event in order, for ``_verdict.sql``, by offset.
        versions: the version of each stream that was accepted, by (owner, stream).
        accepted: the version that each accepted event made, by offset.
    """

    rows: dict[int, Flat] = field(default_factory=dict[int, Flat])
    versions: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    accepted: dict[int, int] = field(default_factory=dict[int, int])

    def add(self, partition: int, event: Event, accepted: bool, version: int) -> None:
        """Write down one verdict; ``version`` is the stream's after it."""
        self.rows[event.offset] = {
            "_partition": partition,
            "_offset": event.offset,
            "_id": event.id,
            "_type": event.kind,
            "_time": event.time,
            "_stream": event.stream,
            "_owner": event.owner,
            "_tenant": event.tenant,
            "_expected": event.expected,
            "accepted": accepted,
            "version": version,
        }
        if accepted:
            self.versions[event.owner, event.stream] = version
            self.accepted[event.offset] = version


def judge(batch: Batch, current: Mapping[tuple[str, str], int]) -> Judged:
    """Accept an event iff it expects the version that its stream has, in order of the log.

    ``current`` holds the version of each stream before the batch; absent for 0.
    """
    judged = Judged()
    for event in batch.versioned:
        stream = (event.owner, event.stream)
        version = judged.versions.get(stream, current.get(stream, 0))
        accepted = event.expected == version
        judged.add(batch.partition, event, accepted, version + accepted)
    return judged


def judged_before(batch: Batch, verdicts: Mapping[int, tuple[bool, int]]) -> Judged:
    """The verdicts that were given before: accepted, and the stream's version then, by offset.

    A versioned event without one is a defect (KeyError).
    """
    judged = Judged()
    for event in batch.versioned:
        judged.add(batch.partition, event, *verdicts[event.offset])
    return judged


def all_accepted(batch: Batch) -> Judged:
    """The verdicts when every event is accepted, as nearly all are."""
    judged = Judged()
    for event in batch.versioned:
        assert event.expected is not None
        judged.add(batch.partition, event, True, event.expected + 1)
    return judged


@dataclass(slots=True)
class Calls:
    """Folds to run, in order, and the arrays of rows that they get."""

    functions: list[str] = field(default_factory=list[str])
    payload_of: list[int] = field(default_factory=list[int])
    payloads: list[bytes] = field(default_factory=list[bytes])

    def add(self, functions: Collection[str], rows: Any) -> None:
        """Run each function on these rows."""
        if functions:
            payload = orjson.dumps(rows)
            if NUL in payload:
                payload = orjson.dumps(_without_nul(rows))
            self.payloads.append(payload)
            self.functions.extend(functions)
            self.payload_of.extend([len(self.payloads)] * len(functions))

    def add_versions(self, judges: Iterable[Generation], versions: Mapping[tuple[str, str], int]) -> None:
        """Have those that judge write down the new versions of streams."""
        if versions:
            rows = [{"owner": o, "stream": s, "version": v} for (o, s), v in versions.items()]
            self.add([f'{quoted(judge.schema)}."_accept"' for judge in judges], rows)


class Group:
    """Generations that fold the same batch in the same transaction.

    ``judges`` are those of them that know the version of every stream; ``reading`` is what has to be read of
    a record for all of them.
    """

    def __init__(self, generations: Sequence[Generation]) -> None:
        self.generations = tuple(generations)
        self.barriers = frozenset(kind for g in generations for kind in g.barriers)
        self.judges = tuple(g for g in generations if g.judges)
        self.reading = reading_for(generations)
        self._functions: dict[str, list[str]] = {}

    def functions(self, fold: str) -> list[str]:
        """The functions of all generations that have this fold."""
        if fold not in self._functions:
            self._functions[fold] = [g.function(fold) for g in self.generations if fold in g.folds]
        return self._functions[fold]

    def calls(self, batch: Batch, judged: Judged) -> Calls:
        """Everything to run for a batch without faults, in order."""
        calls = self.folds_of(batch.partition, batch.events, judged)
        calls.add_versions(self.judges, judged.versions)
        return calls

    def folds_of(self, partition: int, events: Sequence[Event], judged: Judged) -> Calls:
        """The folds of some events alone, without moving the versions of their streams."""
        calls = Calls()
        for segment in _segments(events, self.barriers):
            if segment:
                self._add(calls, partition, segment, judged)
        return calls

    def _add(self, calls: Calls, partition: int, events: Sequence[Event], judged: Judged) -> None:
        by_kind: dict[str, list[Flat]] = {}
        for event in events:
            if event.expected is None:
                by_kind.setdefault(event.kind, []).append(event.row)
            elif event.offset in judged.accepted:
                event.row["_version"] = judged.accepted[event.offset]
                by_kind.setdefault(event.kind, []).append(event.row)
        for kind, rows in by_kind.items():
            calls.add(self.functions(kind), rows)
        if functions := self.functions(ANY):
            calls.add(functions, _counts(partition, events))
        if functions := self.functions(VERDICT):
            rows = [judged.rows[event.offset] for event in events if event.expected is not None]
            calls.add(functions if rows else (), rows)


def _segments(events: Sequence[Event], barriers: frozenset[str]) -> Iterable[Sequence[Event]]:
    start = 0
    if barriers:
        for index, event in enumerate(events):
            if event.kind in barriers:
                yield from (events[start:index], events[index : index + 1])
                start = index + 1
    yield events[start:]


def _without_nul(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\0", "\ufffd")
        case dict():
            return {_without_nul(name): _without_nul(item) for name, item in value.items()}
        case list():
            return [_without_nul(item) for item in value]
        case _:
            return value


def _counts(partition: int, events: Sequence[Event]) -> list[Flat]:
    """How many events of each type fall into each minute: a few rows instead of one an event."""
    counted = Counter((event.kind, _minute(event.time)) for event in events)
    return [
        {"_partition": partition, "_type": kind, "_time": minute, "_events": count}
        for (kind, minute), count in counted.items()
    ]


def _minute(time: str) -> str:
    # what was appended here is in UTC; an imported time of another zone stays as it is
    return time[:16] + "Z" if time.endswith("Z") else time
