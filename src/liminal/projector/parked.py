"""Parked streams: what could not be folded waits in order, until one command folds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from liminal.log.decode import Flat
from liminal.projector.session import Raw
from liminal.storage.postgres import Connection, Pool

if TYPE_CHECKING:
    from liminal.projector.batch import Batch
    from liminal.projector.event import Event, Record

PARK = """
INSERT INTO liminal.parked
    (generation_id, partition, log_offset, stream, type, event_id, accepted, version, error, key, value,
     headers)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::text::jsonb)
"""
LIST = """
SELECT g.projection, g.state, p.partition, p.stream, count(*)::int AS events,
    min(p.log_offset) AS first_offset,
    (array_agg(p.type ORDER BY p.log_offset))[1] AS type,
    (array_agg(p.error ORDER BY p.log_offset) FILTER (WHERE p.error IS NOT NULL))[1] AS error,
    min(p.parked_at) AS since
FROM liminal.parked p JOIN liminal.generations g ON g.id = p.generation_id
WHERE g.state <> 'scratch' AND ($1::text IS NULL OR p.stream = $1)
GROUP BY g.projection, g.state, p.partition, p.stream
ORDER BY since, g.projection
"""


class Parked(NamedTuple):
    """One event to be parked, with its verdict; ``error`` is None when it only waits behind another."""

    event: Event
    verdict: Flat | None
    error: str | None


@dataclass(frozen=True, slots=True)
class ParkedStream:
    """A stream that waits in one projection.

    Attributes:
        projection: which read model lacks its events.
        state: of that generation: live, building or previous.
        partition: its partition.
        stream: its name.
        events: how many wait.
        first_offset: the one that could not be folded.
        type: its type.
        error: why.
        since: when it was parked.
    """

    projection: str
    state: str
    partition: int
    stream: str
    events: int
    first_offset: int
    type: str
    error: str | None
    since: datetime


class StoredRecord(NamedTuple):
    """A parked record in the form that the decoder takes."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    timestamp: int


async def park(
    connection: Raw, generation_id: int, batch: Batch, events: Sequence[Parked], *, grown: bool
) -> None:
    """Write these events of a batch down, and say so at the checkpoint when a stream is new among them."""
    records = {record.offset: record for record in batch.records}
    rows = [_row(generation_id, item, records[item.event.offset]) for item in events]
    await connection.executemany(PARK, rows)
    if grown:
        await _bump(connection, generation_id, batch.partition)


def _row(generation_id: int, parked: Parked, record: Record) -> tuple[Any, ...]:
    event = parked.event
    headers = [[name, value.decode(errors="replace")] for name, value in record.headers]
    return (
        generation_id,
        record.partition,
        record.offset,
        event.stream,
        event.kind,
        event.id,
        parked.verdict and parked.verdict["accepted"],
        parked.verdict and parked.verdict["version"],
        parked.error,
        record.key,
        record.value,
        orjson.dumps(headers).decode(),
    )


async def _bump(connection: Connection, generation_id: int, partition: int) -> None:
    await connection.execute(
        "UPDATE liminal.checkpoints SET parks = parks + 1 WHERE generation_id = $1 AND partition = $2",
        generation_id,
        partition,
    )


async def parked_streams(connection: Connection | Pool, stream: str | None = None) -> list[ParkedStream]:
    """Every parked stream, or one, in the order in which they were parked."""
    return [ParkedStream(**dict(row)) for row in await connection.fetch(LIST, stream)]


def stored_record(row: Mapping[str, Any]) -> StoredRecord:
    """The record of a row of ``liminal.parked``."""
    headers = [(name, value.encode()) for name, value in orjson.loads(row["headers"])]
    return StoredRecord(
        row["partition"],
        row["log_offset"],
        row["key"],
        row["value"],
        headers,
        int(row["parked_at"].timestamp() * 1000),
    )
