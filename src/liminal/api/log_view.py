"""The log as an operator looks at it: its end, what passes a filter, one event.

A request reads a bounded part of it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from liminal.api.errors import NotFound
from liminal.log.errors import LogError
from liminal.log.log import Log
from liminal.log.look import Seen, see
from liminal.log.position import Position
from liminal.log.read import Filter, RawRecord, Reader, open_reader
from liminal.log.stored import Stored
from liminal.storage.pages import Page, decode_cursor, encode_cursor

MOST_READ = 50_000
"""Records that one request looks at in each partition; a filter that finds nothing goes on by its cursor."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Kafka counts milliseconds from here and refuses earlier ones."""


class LogView:
    """Reads the log for ``/v1/admin/log``."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def tail(
        self, wanted: Filter, *, since: datetime | None, cursor: str | None, limit: int, decrypt: bool
    ) -> Page[dict[str, Any]]:
        """Events in order of time: what came after ``cursor`` or ``since``, else the newest.

        The page's cursor is never None: it asks for what comes after these events. Raises BadCursor.
        """
        async with open_reader(self._log.settings) as reader:
            if cursor is not None or since is not None:
                start = (
                    _offsets(cursor)
                    if cursor is not None
                    else await reader.offsets_at(max(since, EPOCH) if since else None)
                )
                records, places = await _forward(reader, wanted, start, limit)
            else:
                records, places = await _newest(reader, wanted, limit)
        seen = await see(records, self._log.vault if decrypt else None)
        return Page(
            [_shown(record, item) for record, item in zip(records, seen, strict=True)],
            encode_cursor(sorted(places.items())),
        )

    async def event(self, position: str, *, decrypt: bool) -> dict[str, Any]:
        """One event in full. Raises NotFound."""
        async with open_reader(self._log.settings) as reader:
            try:
                record = await reader.one(Position.parse(position))
            except LogError as error:
                raise NotFound(error.message) from error
        seen = await see([record], self._log.vault if decrypt else None)
        return _shown(record, seen[0])

    async def stats(self) -> dict[str, Any]:
        """The bounds of the partitions, and counts by type and day from the read model."""
        async with open_reader(self._log.settings) as reader:
            first, end = await reader.bounds()
        counts = await self._log.pool.fetch(
            "SELECT type, day, events AS count FROM read.log_counts ORDER BY day DESC, events DESC, type"
        )
        return {
            "total": sum(end[partition] - first[partition] for partition in end),
            "partitions": [
                {"partition": partition, "begin_offset": first[partition], "end_offset": end[partition]}
                for partition in sorted(end)
            ],
            "counts": [dict(row) for row in counts],
        }


async def _newest(reader: Reader, wanted: Filter, limit: int) -> tuple[list[RawRecord], dict[int, int]]:
    first, end = await reader.bounds()
    partitions = wanted.partitions(len(end))
    back = limit
    while True:
        start = {p: max(first[p], end[p] - back) for p in partitions}
        found = [r async for batch in reader.upto(start, end) for r in batch if wanted.wants(r)]
        if len(found) >= limit or back >= MOST_READ or all(start[p] == first[p] for p in partitions):
            return found[-limit:], end
        back = min(back * 8, MOST_READ)


async def _forward(
    reader: Reader, wanted: Filter, start: dict[int, int], limit: int
) -> tuple[list[RawRecord], dict[int, int]]:
    first, end = await reader.bounds()
    places = {p: max(first[p], min(start.get(p, first[p]), end[p])) for p in end}
    read_to = {p: min(end[p], places[p] + MOST_READ) for p in wanted.partitions(len(end))}
    found: list[RawRecord] = []
    async for batch in reader.upto({p: places[p] for p in read_to}, read_to):
        for record in batch:
            places[record.partition] = record.offset + 1
            if wanted.wants(record):
                found.append(record)
                if len(found) == limit:
                    return found, places
    return found, {**end, **read_to}


def _offsets(cursor: str) -> dict[int, int]:
    places: dict[int, int] = decode_cursor(cursor, _places)[0]
    return places


def _places(value: Any) -> dict[int, int]:
    places = {int(partition): int(offset) for partition, offset in value}
    if not all(0 <= offset < 2**63 for offset in places.values()):
        raise ValueError("an offset is out of range")
    return places


def _shown(record: RawRecord, seen: Seen) -> dict[str, Any]:
    if isinstance(seen, Stored):
        return seen.as_dict()
    return {
        "position": str(Position(record.partition, record.offset)),
        "type": "undecodable",
        "time": datetime.fromtimestamp(record.timestamp / 1000, UTC),
        "owner": (record.key or b"").decode(errors="replace"),
        "data": {"error": seen.message},
    }
