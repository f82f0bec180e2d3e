"""What `liminal log` shows: the last events, one event, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from liminal.log.errors import LogError, UndecodableRecord
from liminal.log.position import Position
from liminal.log.read import Filter, RawRecord, Reader
from liminal.log.stored import Stored
from liminal.storage.vault import Vault

UUID_V7 = 7
WIDEN = 8
"""How much further back the last events are looked for when too few were found."""

Seen = Stored | UndecodableRecord
"""An event, or what is wrong with a record that is none."""


async def last_events(reader: Reader, wanted: Filter, count: int) -> tuple[list[RawRecord], dict[int, int]]:
    """The newest ``count`` records that pass, oldest first, and where to go on from."""
    first, end = await reader.bounds()
    partitions = wanted.partitions(len(end))
    end = {p: end[p] for p in partitions}
    back = count
    while True:
        start = {p: max(first[p], end[p] - back) for p in partitions}
        found = [r async for batch in reader.upto(start, end) for r in batch if wanted.wants(r)]
        if len(found) >= count or all(start[p] == first[p] for p in partitions):
            return found[-count:] if count else [], end
        back *= WIDEN


async def span(
    reader: Reader, wanted: Filter, since: Position | datetime | None
) -> tuple[dict[int, int], dict[int, int]]:
    """Where what is wanted begins and where the log ends now, by partition, for ``Reader.upto``."""
    start = await reader.offsets_at(since)
    _, end = await reader.bounds()
    partitions = set(wanted.partitions(len(end))) & start.keys()
    return {p: start[p] for p in partitions}, {p: end[p] for p in partitions}


async def see(records: Iterable[RawRecord], vault: Vault | None) -> list[Seen]:
    """The records as they are shown: with a vault decrypted, without one as stored."""
    seen: list[Seen] = []
    for record in records:
        try:
            seen.append(Stored.of(record))
        except UndecodableRecord as error:
            seen.append(error)
    if vault is not None:
        events = [stored for stored in seen if isinstance(stored, Stored)]
        keys = await vault.data_keys(stored.owner for stored in events)
        for stored in events:
            stored.unseal(keys[stored.owner])
    return seen


async def find_event(reader: Reader, event_id: UUID, advance: Callable[[int], None]) -> RawRecord:
    """The record of an event id. Raises LogError when no event has it.

    The time inside a UUIDv7 says where to look first; any other id means reading the whole log.
    """
    first, end = await reader.bounds()
    start = first
    if event_id.version == UUID_V7:
        made = datetime.fromtimestamp((event_id.int >> 80) / 1000, UTC)
        start = await reader.offsets_at(made - timedelta(minutes=1))
    for begin, stop in ((start, end), (first, start)):
        async for batch in reader.upto(begin, stop):
            advance(len(batch))
            for record in batch:
                if dict(record.headers).get("ce_id") == str(event_id).encode():
                    return record
    raise LogError(f"no event has the id {event_id}", event_id=str(event_id))


class Counts:
    """Counts over the log, gathered record by record without reading the data."""

    def __init__(self) -> None:
        self.events = 0
        self.bytes = 0
        self._types: Counter[bytes] = Counter()
        self._type_bytes: Counter[bytes] = Counter()
        self._days: Counter[int] = Counter()
        self._owners: set[bytes] = set()
        self._streams: set[bytes] = set()
        self._first: int | None = None
        self._last: int | None = None

    def add(self, records: Iterable[RawRecord]) -> None:
        """Count these records."""
        for record in records:
            head = dict(record.headers)
            type_ = head.get("ce_type", b"(not an event)")
            size = len(record.key or b"") + len(record.value or b"")
            size += sum(len(name) + len(value) for name, value in record.headers)
            time = record.timestamp
            self.events += 1
            self.bytes += size
            self._types[type_] += 1
            self._type_bytes[type_] += size
            self._days[time // 86_400_000] += 1
            self._owners.add(record.key)
            self._streams.add(head.get("ce_subject", b""))
            self._first = time if self._first is None else min(self._first, time)
            self._last = time if self._last is None else max(self._last, time)

    def as_dict(self) -> dict[str, Any]:
        """The counts as JSON values; bytes are before compression."""
        return {
            "events": self.events,
            "bytes": self.bytes,
            "owners": len(self._owners),
            "streams": len(self._streams),
            "first_time": _iso(self._first),
            "last_time": _iso(self._last),
            "types": [
                {"type": type_.decode(errors="replace"), "events": n, "bytes": self._type_bytes[type_]}
                for type_, n in self._types.most_common()
            ],
            "days": [
                {"day": datetime.fromtimestamp(day * 86_400, UTC).date().isoformat(), "events": n}
                for day, n in sorted(self._days.items())
            ],
        }


def _iso(ms: int | None) -> str | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
