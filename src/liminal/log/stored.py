"""An event as it lies on the log, for people and for files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from liminal.log.decode import Record, undecodable
from liminal.log.event import event_class
from liminal.log.personal import PREFIX, personal_fields
from liminal.log.position import Position
from liminal.log.seal import context_of, rewrite
from liminal.storage.vault import DataKey

OPTIONAL = {
    "causation": "ce_causation",
    "correlation": "ce_correlation",
    "expected_version": "ce_expectedversion",
}


@dataclass(slots=True)
class Stored:
    """One record of the log, its data as stored: personal fields sealed, its own version, no upcasting.

    ``sealed`` lists the paths that ``unseal`` could not open; it is None for data as stored.
    """

    position: Position
    id: str
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

    @classmethod
    def of(cls, record: Record) -> Stored:
        """What a record holds. Raises UndecodableRecord."""
        head = dict(record.headers)
        try:
            name, _, version = head["ce_dataschema"].decode().rpartition(".v")
            if record.key is None or record.value is None:
                raise ValueError("it has no key or no value")
            optional = {f: head[h].decode() if h in head else None for f, h in OPTIONAL.items()}
            expected = optional["expected_version"]
            return cls(
                position=Position(record.partition, record.offset),
                id=head["ce_id"].decode(),
                type=name,
                version=int(version),
                time=head["ce_time"].decode(),
                owner=record.key.decode(),
                tenant=head["ce_tenant"].decode(),
                actor=head["ce_actor"].decode(),
                stream=head["ce_subject"].decode(),
                source=head["ce_source"].decode(),
                causation=optional["causation"],
                correlation=optional["correlation"],
                expected_version=None if expected is None else int(expected),
                data=orjson.loads(record.value),
            )
        except (KeyError, ValueError) as error:
            raise undecodable(record, error) from error

    def unseal(self, key: DataKey | None) -> None:
        """Decrypt the personal fields in place; what can't be opened stays sealed and is listed.

        Raises UnknownEvent for a type that is not registered.
        """
        closed: list[str] = []

        def open_(token: Any, path: str, text: bool) -> Any:
            try:
                if key is None:
                    raise ValueError("the owner's key is gone")
                context = context_of(self.owner.encode(), self.id.encode(), path)
                plain = key.open(str(token).removeprefix(PREFIX), context)
            except ValueError:
                closed.append(path)
                return token
            return plain.decode() if text else orjson.loads(plain)

        for field in personal_fields(event_class(self.type, self.version)):
            rewrite(self.data, field.path, lambda token, path, text=field.text: open_(token, path, text))
        self.sealed = closed

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON values; the form of a line of an export."""
        line: dict[str, Any] = {
            "position": str(self.position),
            "id": self.id,
            "type": self.type,
            "version": self.version,
            "time": self.time,
            "owner": self.owner,
            "tenant": self.tenant,
            "actor": self.actor,
            "stream": self.stream,
            "source": self.source,
            "causation": self.causation,
            "correlation": self.correlation,
            "expected_version": self.expected_version,
            "data": self.data,
        }
        if self.sealed is not None:
            line["sealed"] = self.sealed
        return line

    @property
    def timestamp_ms(self) -> int:
        """When it happened, in milliseconds since 1970."""
        return timestamp_ms(self.time)


def timestamp_ms(time: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 time. Raises ValueError."""
    return int(datetime.fromisoformat(time).astimezone(UTC).timestamp() * 1000)
