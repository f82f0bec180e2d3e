"""Events as folds get them: the row for SQL, and beside it what the projector itself needs to know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from liminal.log.decode import Flat, check_known, decode_data, undecodable
from liminal.log.errors import LogError, UnknownEvent
from liminal.projector.definition import ANY, VERDICT
from liminal.projector.generation import Generation
from liminal.storage.vault import DataKey

Record = Any
"""aiokafka's ConsumerRecord, whose type parameters say nothing here, or what parked.py keeps of one."""

HEADERS = {
    "_id": "ce_id",
    "_type": "ce_type",
    "_time": "ce_time",
    "_stream": "ce_subject",
    "_tenant": "ce_tenant",
    "_actor": "ce_actor",
    "_causation": "ce_causation",
    "_correlation": "ce_correlation",
}
"""Where a fold's columns of the envelope come from, besides partition, offset, owner and expected version."""


class Event(NamedTuple):
    """One record of the log.

    Attributes:
        offset: its place in its partition.
        kind: its type.
        stream: the stream it belongs to; one of its own where the record names none.
        owner: whose it is.
        id: its id; None where the record has none.
        time: when it happened.
        tenant: whose tenant.
        expected: the version of its stream that it expects; None for a plain append.
        row: its data with the columns of the envelope that its folds ask for; empty when nobody folds it.
        fault: why it can't be read.
    """

    offset: int
    kind: str
    stream: str
    owner: str
    id: str | None
    time: str
    tenant: str | None
    expected: int | None
    row: Flat
    fault: LogError | None


Reading = Mapping[str, tuple[tuple[str, str], ...]]
"""For every type that is folded, which columns of the envelope its folds ask for, and their headers."""


def reading_for(generations: Iterable[Generation]) -> Reading:
    """What has to be read for these generations."""
    wanted: dict[str, set[str]] = {}
    for generation in generations:
        for kind, columns in generation.folds.items():
            wanted.setdefault(kind, set()).update(columns)
    return {
        kind: tuple((name, HEADERS[name]) for name in sorted(columns & HEADERS.keys()))
        for kind, columns in wanted.items()
    }


def read_event(record: Record, keys: Mapping[str, DataKey | None], reading: Reading) -> Event:
    """The event of one record; one that can't be read has a ``fault`` and what its envelope tells."""
    head: dict[str, bytes] = dict(record.headers)
    try:
        kind, owner = head["ce_type"].decode(), record.key.decode()
        expected = head.get("ce_expectedversion")
        version = None if expected is None else int(expected)
        columns = reading.get(kind)
        if columns is None:
            check_known(record, head)
            row: Flat = {}
        else:
            row = decode_data(record, head, keys)
            row["_partition"] = record.partition
            row["_offset"] = record.offset
            row["_owner"] = owner
            if version is not None:
                row["_expected"] = version
            for name, header in columns:
                value = head.get(header)
                row[name] = None if value is None else value.decode()
        return Event(
            record.offset,
            kind,
            head["ce_subject"].decode(),
            owner,
            head["ce_id"].decode(),
            head["ce_time"].decode(),
            head["ce_tenant"].decode(),
            version,
            row,
            None,
        )
    except LogError as error:
        return _faulty(record, head, error)
    except (KeyError, ValueError, AttributeError) as error:
        return _faulty(record, head, undecodable(record, error))


def _faulty(record: Record, head: Mapping[str, bytes], fault: LogError) -> Event:
    known = {name: value.decode(errors="replace") for name, value in head.items()}
    expected = known.get("ce_expectedversion", "")
    return Event(
        offset=record.offset,
        kind=known.get("ce_type", "unreadable"),
        stream=known.get("ce_subject") or f"record-{record.partition}-{record.offset}",
        owner=(record.key or b"").decode(errors="replace"),
        id=known.get("ce_id"),
        time=known.get("ce_time") or datetime.fromtimestamp(record.timestamp / 1000, UTC).isoformat(),
        tenant=known.get("ce_tenant"),
        expected=int(expected) if expected.isdecimal() else None,
        row={},
        fault=fault,
    )


def concerns(generation: Generation, event: Event) -> bool:
    """Whether a generation has a fold for this event."""
    folds = generation.folds
    return event.kind in folds or ANY in folds or (VERDICT in folds and event.expected is not None)


def blocks(generation: Generation, event: Event) -> bool:
    """Whether a generation can't go on with the stream of this event, because it can't be read.

    It can where only the envelope is folded. Of an unknown type nobody knows whom it concerns: everyone who
    folds streams of its category.
    """
    if event.fault is None:
        return False
    if event.kind in generation.folds:
        return True
    return isinstance(event.fault, UnknownEvent) and event.stream.partition("-")[0] in generation.categories
