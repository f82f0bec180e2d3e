"""How an event looks in Kafka: CloudEvents 1.0, binary content mode (Kafka protocol binding, section 3.2).

The key is the owner, the value the data as JSON, everything else a header of UTF-8 text.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from liminal.log.errors import EventTooLarge, MalformedEvent
from liminal.log.event import Event
from liminal.log.personal import PREFIX, personal_fields
from liminal.log.seal import context_of, rewrite
from liminal.storage.vault import DataKey

SPECVERSION = "1.0"
CONTENT_TYPE = "application/json"

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """Who and what an event belongs to.

    Attributes:
        owner: whose event it is; events of one owner are totally ordered. An account's id, a tenant's id, or
            ``system``.
        tenant: the tenant it belongs to, or ``system``.
        actor: who caused it: an account's id, or the name of a reaction.
        stream: the aggregate, ``<category>-<id>``.
        causation: id of the event that this one follows from.
        correlation: id shared by everything that one command set off.
        id: the event's own id; None for a new UUIDv7.
        time: when it happened, with a time zone; None for now.
    """

    owner: str
    tenant: str
    actor: str
    stream: str
    causation: UUID | None = None
    correlation: UUID | None = None
    id: UUID | None = None
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event ready to be produced."""

    id: UUID
    key: bytes
    value: bytes
    headers: Headers
    timestamp_ms: int

    @property
    def size(self) -> int:
        """Bytes of key, value and headers together with their lengths (at most 5 bytes each)."""
        headers = sum(len(name) + len(value) + 10 for name, value in self.headers)
        return len(self.key) + len(self.value) + headers + 30


def seal_event(
    event: Event,
    meta: Meta,
    event_id: UUID,
    *,
    key: DataKey | None,
    source: str,
    expected_version: int | None,
) -> Envelope:
    """The envelope of an event, its personal fields sealed with ``key``.

    Raises MalformedEvent for data or meta that does not fit.
    """
    cls = type(event)
    check_meta(cls, meta)
    time = meta.time or datetime.now(UTC)
    data = {name: value for name, value in event.model_dump(mode="json").items() if value is not None}
    if fields := personal_fields(cls):
        assert key is not None, "an event with personal fields needs its owner's key"
        owner, identity = meta.owner.encode(), str(event_id).encode()
        for field in fields:

            def seal(value: Any, path: str, text: bool = field.text) -> str:
                plain = value.encode() if text else orjson.dumps(value)
                return PREFIX + key.seal(plain, context_of(owner, identity, path))

            rewrite(data, field.path, seal)
    return Envelope(
        id=event_id,
        key=meta.owner.encode(),
        value=orjson.dumps(data),
        headers=make_headers(
            event_id=str(event_id),
            type_=cls.type,
            dataschema=cls.dataschema(),
            source=source,
            stream=meta.stream,
            time=format_time(time),
            tenant=meta.tenant,
            actor=meta.actor,
            causation=meta.causation and str(meta.causation),
            correlation=meta.correlation and str(meta.correlation),
            expected_version=expected_version,
        ),
        timestamp_ms=int(time.timestamp() * 1000),
    )


def make_headers(
    *,
    event_id: str,
    type_: str,
    dataschema: str,
    source: str,
    stream: str,
    time: str,
    tenant: str,
    actor: str,
    causation: str | None,
    correlation: str | None,
    expected_version: int | None,
) -> Headers:
    """The headers in their one order; absent extensions are left out."""
    pairs = (
        ("ce_specversion", SPECVERSION),
        ("ce_id", event_id),
        ("ce_type", type_),
        ("ce_source", source),
        ("ce_subject", stream),
        ("ce_time", time),
        ("ce_dataschema", dataschema),
        ("content-type", CONTENT_TYPE),
        ("ce_tenant", tenant),
        ("ce_actor", actor),
        ("ce_causation", causation),
        ("ce_correlation", correlation),
        ("ce_expectedversion", None if expected_version is None else str(expected_version)),
    )
    return [(name, value.encode()) for name, value in pairs if value is not None]


def check_meta(cls: type[Event], meta: Meta) -> None:
    """Refuse meta that does not fit. Raises MalformedEvent with the path ``meta.<field>``."""
    for name in ("owner", "tenant", "actor", "stream"):
        value = getattr(meta, name)
        if not value or len(value) > 255 or not value.isprintable():
            raise meta_error(cls, name, "it must have 1 to 255 printable characters")
    category, _, rest = meta.stream.partition("-")
    if category not in cls.categories() or not rest:
        raise meta_error(
            cls,
            "stream",
            f"it must be {' or '.join(f'{c}-<id>' for c in sorted(cls.categories()))}, not {meta.stream}",
        )
    if meta.time is not None and meta.time.tzinfo is None:
        raise meta_error(cls, "time", "it must have a time zone")


def meta_error(cls: type[Event], name: str, reason: str) -> MalformedEvent:
    """MalformedEvent for a field of the envelope."""
    return MalformedEvent(
        f"{cls.type}: meta.{name}: {reason}", event=cls.type, path=f"meta.{name}", reason=reason
    )


def check_size(envelope: Envelope, type_: str, limit: int) -> None:
    """Refuse what Kafka would refuse, with a way out. Raises EventTooLarge."""
    if envelope.size > limit:
        raise EventTooLarge(
            f"{type_} is {envelope.size:,} bytes, the limit is {limit:,} (LIMINAL_MAX_EVENT_BYTES): put the "
            "large part into the blob store (BlobStore.put) and name its hash and size in the event",
            event=type_,
            size=envelope.size,
            limit=limit,
        )


def format_time(time: datetime) -> str:
    """RFC 3339 in UTC with microseconds."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
