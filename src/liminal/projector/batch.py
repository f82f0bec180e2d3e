"""What is folded at once: consecutive events of one partition, and their form for Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import orjson

from liminal.log.decode import Decoder, Flat, decode_record
from liminal.log.errors import LogError, UnknownEvent
from liminal.projector.definition import ANY, VERDICT
from liminal.projector.generation import Generation, quoted
from liminal.projector.session import patiently

Record = Any
"""aiokafka's ConsumerRecord, whose type parameters say nothing here, or what parked.py keeps of one."""

SLICE = 40
"""Records decoded before the statement that Postgres works on gets its turn: under a millisecond."""

HEAD = ("_partition", "_offset", "_id", "_type", "_time", "_stream", "_owner", "_tenant", "_expected")


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
        events: their flat form; of a record that can't be decoded only what its envelope tells. Between two
            barriers their order does not matter.
        faults: why a record can't be decoded, by offset.
    """

    partition: int
    start: int
    end: int
    records: Sequence[Record]
    events: list[Flat]
    faults: Mapping[int, LogError] = field(default_factory=dict[int, LogError])

    @property
    def versioned(self) -> list[Flat]:
        """The events that expect a version of their stream, in order."""
        versioned = [event for event in self.events if event["_expected"] is not None]
        versioned.sort(key=itemgetter("_offset"))
        return versioned

    @property
    def last_time(self) -> datetime | None:
        """When its last record was appended, by the producer's clock."""
        return datetime.fromtimestamp(self.records[-1].timestamp / 1000, UTC) if self.records else None

    def between(self, start: int, end: int) -> Batch:
        """The part from offset ``start`` to before ``end``."""
        kept = [index for index, event in enumerate(self.events) if start <= event["_offset"] < end]
        return Batch(
            self.partition,
            start,
            end,
            [self.records[index] for index in kept],
            [self.events[index] for index in kept],
            {offset: fault for offset, fault in self.faults.items() if start <= offset < end},
        )


async def decode_batch(
    decoder: Decoder, partition: int, start: int, end: int, records: Sequence[Record]
) -> Batch:
    """Decode records, giving way to other tasks every few of them."""
    keys = await patiently(lambda: decoder.keys(records))
    events: list[Flat] = []
    faults: dict[int, LogError] = {}
    for index, record in enumerate(records, 1):
        try:
            events.append(decode_record(record, keys))
        except LogError as error:
            faults[record.offset] = error
            events.append(head_of(record))
        if index % SLICE == 0:
            await asyncio.sleep(0)
    return Batch(partition, start, end, records, events, faults)


def head_of(record: Record) -> Flat:
    """What the envelope of a record tells when its data can't be read. A record without a stream is one."""
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    expected = headers.get("ce_expectedversion", "")
    position = f"{record.partition}-{record.offset}"
    return {
        "_partition": record.partition,
        "_offset": record.offset,
        "_id": headers.get("ce_id"),
        "_type": headers.get("ce_type", "unreadable"),
        "_time": headers.get("ce_time") or datetime.fromtimestamp(record.timestamp / 1000, UTC).isoformat(),
        "_stream": headers.get("ce_subject") or f"record-{position}",
        "_owner": (record.key or b"").decode(errors="replace"),
        "_tenant": headers.get("ce_tenant"),
        "_expected": int(expected) if expected.isdecimal() else None,
    }


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdicts on a batch's versioned events.

    Attributes:
        rows: one per versioned event in order, for ``_verdict.sql``.
        versions: the version of each stream that was accepted, by (owner, stream).
        accepted: the version that each accepted event made, by offset.
    """

    rows: list[Flat]
    versions: dict[tuple[str, str], int]
    accepted: dict[int, int]


NOTHING_JUDGED = Judged([], {}, {})


def judged_rows(events: Iterable[Flat], verdicts: Mapping[int, tuple[bool, int]]) -> Judged:
    """The verdicts that were found before: accepted, and the stream's version then, by offset."""
    judged = Judged([], {}, {})
    for event in events:
        accepted, version = verdicts[event["_offset"]]  # a versioned record without a verdict is a defect
        judged.rows.append(_verdict(event, accepted, version))
        if accepted:
            judged.accepted[event["_offset"]] = version
            judged.versions[event["_owner"], event["_stream"]] = version
    return judged


def all_accepted(events: Sequence[Flat]) -> Judged:
    """The verdicts when every event is accepted, as nearly all are."""
    return judged_rows(events, {event["_offset"]: (True, event["_expected"] + 1) for event in events})


def judge(events: Iterable[Flat], current: Mapping[tuple[str, str], int]) -> Judged:
    """Accept an event iff it expects the version that its stream has, in order of the log.

    Args:
        events: versioned events of one partition in order.
        current: version of each stream before them; absent for 0.
    """
    versions: dict[tuple[str, str], int] = {}
    rows: list[Flat] = []
    accepted: dict[int, int] = {}
    for event in events:
        stream = (event["_owner"], event["_stream"])
        version = versions.get(stream, current.get(stream, 0))
        wins = event["_expected"] == version
        if wins:
            version += 1
            versions[stream] = version
            accepted[event["_offset"]] = version
        rows.append(_verdict(event, wins, version))
    return Judged(rows, versions, accepted)


def _verdict(event: Flat, accepted: bool, version: int) -> Flat:
    return {**{name: event[name] for name in HEAD}, "accepted": accepted, "version": version}


@dataclass(slots=True)
class Calls:
    """Folds to run, in order, and the arrays of events that they get."""

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

    ``judges`` are those of them that know the version of every stream.
    """

    def __init__(self, generations: Sequence[Generation]) -> None:
        self.generations = tuple(generations)
        self.barriers = frozenset(kind for g in generations for kind in g.barriers)
        self._functions: dict[str, list[str]] = {}
        self.judges = tuple(g for g in generations if g.judges)

    def functions(self, fold: str) -> list[str]:
        """The functions of all generations that have this fold."""
        if fold not in self._functions:
            self._functions[fold] = [g.function(fold) for g in self.generations if fold in g.folds]
        return self._functions[fold]

    def calls(self, batch: Batch, judged: Judged) -> Calls:
        """Everything to run for a batch without faults, in order."""
        calls = Calls()
        calls.add_versions(self.judges, judged.versions)
        for segment in _segments(batch.events, self.barriers):
            self._add(calls, segment, judged)
        return calls

    def folds_of(self, events: Sequence[Flat], judged: Judged) -> Calls:
        """The folds of some events alone, without moving the versions of their streams."""
        calls = Calls()
        for segment in _segments(events, self.barriers):
            self._add(calls, segment, judged)
        return calls

    def _add(self, calls: Calls, events: Sequence[Flat], judged: Judged) -> None:
        if not events:
            return
        by_type: dict[str, list[Flat]] = {}
        for event in events:
            by_type.setdefault(event["_type"], []).append(event)
        for kind, rows in by_type.items():
            if (functions := self.functions(kind)) and (kept := _accepted(rows, judged)):
                calls.add(functions, kept)
        if functions := self.functions(ANY):
            calls.add(functions, [_envelope(event) for event in events])
        if judged.rows and (functions := self.functions(VERDICT)):
            offsets = {event["_offset"] for event in events}
            calls.add(functions, [row for row in judged.rows if row["_offset"] in offsets])


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


def _segments(events: Sequence[Flat], barriers: frozenset[str]) -> Iterable[Sequence[Flat]]:
    start = 0
    if barriers:
        for index, event in enumerate(events):
            if event["_type"] in barriers:
                yield from (events[start:index], events[index : index + 1])
                start = index + 1
    yield events[start:]


def _accepted(rows: list[Flat], judged: Judged) -> list[Flat]:
    if all(event["_expected"] is None for event in rows):
        return rows
    kept: list[Flat] = []
    for event in rows:
        if event["_expected"] is None:
            kept.append(event)
        elif event["_offset"] in judged.accepted:
            event["_version"] = judged.accepted[event["_offset"]]
            kept.append(event)
    return kept


def _envelope(event: Flat) -> Flat:
    return {
        "_partition": event["_partition"],
        "_offset": event["_offset"],
        "_type": event["_type"],
        "_time": event["_time"],
        "_tenant": event["_tenant"],
    }


def concerns(generation: Generation, event: Flat) -> bool:
    """Whether a generation has a fold for this event."""
    folds = generation.folds
    return event["_type"] in folds or ANY in folds or (VERDICT in folds and event["_expected"] is not None)


def blocks(generation: Generation, event: Flat, fault: LogError) -> bool:
    """Whether a generation can't go on with a stream whose event can't be read.

    It can where only the envelope is folded. Of an unknown type nobody knows whom it concerns: everyone who
    folds streams of its category.
    """
    if event["_type"] in generation.folds:
        return True
    return isinstance(fault, UnknownEvent) and event["_stream"].partition("-")[0] in generation.categories
