"""Folding a parked stream again, in order, in one transaction per read model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg

from liminal.log.decode import Decoder
from liminal.projector.batch import Group, Judged
from liminal.projector.errors import NothingParked, RetryFailed
from liminal.projector.event import Event, blocks, read_event
from liminal.projector.fold import RUN
from liminal.projector.generation import Generation, generations
from liminal.projector.parked import stored_record
from liminal.projector.session import Raw, is_transient

WHERE = """
SELECT DISTINCT p.generation_id, p.partition
FROM liminal.parked p JOIN liminal.generations g ON g.id = p.generation_id
WHERE p.stream = $1 AND ($2::text IS NULL OR g.projection = $2) ORDER BY 1, 2
"""
EVENTS = """
SELECT partition, log_offset, accepted, version, key, value, headers, parked_at FROM liminal.parked
WHERE generation_id = $1 AND partition = $2 AND stream = $3 ORDER BY log_offset
"""
LOCK = """
UPDATE liminal.checkpoints SET parks = parks + 1 WHERE generation_id = $1 AND partition = $2
"""
DELETE = "DELETE FROM liminal.parked WHERE generation_id = $1 AND partition = $2 AND stream = $3"


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of a stream in one projection: ``error`` is None when its ``events`` are folded now."""

    projection: str
    events: int
    error: str | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


async def retry_stream(
    connection: Raw, decoder: Decoder, stream: str, name: str | None = None
) -> list[Retried]:
    """Fold a parked stream into every read model that lacks it, or into one.

    Raises NothingParked, and RetryFailed when it failed in any of them (the others keep what was folded).
    """
    places = await connection.fetch(WHERE, stream, name)
    if not places:
        raise NothingParked(f"no event of {stream} is parked", stream=stream)
    by_id = {g.id: g for g in await generations(connection)}
    results: list[Retried] = []
    for place in places:
        generation = by_id[place["generation_id"]]
        results.append(await _retry(connection, decoder, generation, place["partition"], stream))
    failed = [result for result in results if result.error]
    if failed:
        names = ", ".join(result.projection for result in failed)
        raise RetryFailed(
            f"{stream} stays parked in {names}: {failed[0].error}",
            stream=stream,
            results=[result.as_dict() for result in results],
        )
    return results


async def _retry(
    connection: Raw, decoder: Decoder, generation: Generation, partition: int, stream: str
) -> Retried:
    group, events = Group([generation]), list[Event]()
    try:
        async with connection.transaction():
            # waits for the batch that is folded now, and fences the next one that still thinks it parked
            await connection.execute(LOCK, generation.id, partition)
            rows = await connection.fetch(EVENTS, generation.id, partition, stream)
            records = [stored_record(dict(row)) for row in rows]
            keys = await decoder.keys(records)
            events = [read_event(record, keys, group.reading) for record in records]
            faults = [event.fault for event in events if event.fault and blocks(generation, event)]
            if faults:
                raise RetryFailed(faults[0].message)
            calls = group.folds_of(partition, events, _judged(partition, events, rows))
            await connection.execute(RUN, calls.functions, calls.payload_of, calls.payloads)
            await connection.execute(DELETE, generation.id, partition, stream)
    except RetryFailed as error:
        return Retried(generation.projection, len(events), error.message)
    except asyncpg.PostgresError as error:
        if is_transient(error):
            raise
        return Retried(generation.projection, len(events), f"{error} [{error.sqlstate}]")
    return Retried(generation.projection, len(events), None)


def _judged(partition: int, events: Sequence[Event], rows: Sequence[asyncpg.Record]) -> Judged:
    judged = Judged()
    for event, row in zip(events, rows, strict=True):
        if row["version"] is not None:
            judged.add(partition, event, row["accepted"], row["version"])
    return judged
