"""From a Kafka record to a flat dict, fast: no Pydantic here, for folds read millions.

What was checked at the door is trusted; a record that can't be read raises, and the caller decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple, Protocol

import orjson

from liminal.log.errors import UndecodableRecord, UnknownEvent
from liminal.log.event import Upcaster, event_class, upcasters_from
from liminal.log.personal import PREFIX, PersonalField, personal_fields
from liminal.log.position import Position
from liminal.log.seal import context_of, rewrite
from liminal.storage.vault import DataKey, Vault

Flat = dict[str, Any]
"""The newest version's data at the top level, and beside it ``_partition``, ``_offset``, ``_id``, ``_type``,
``_time``, ``_stream``, ``_owner``, ``_tenant``, ``_actor``, ``_causation``, ``_correlation``, ``_expected``.
All but the two numbers and ``_expected`` (int or None) are text; ``_causation`` and ``_correlation`` may be
None. A personal field whose key is gone is None."""


class Record(Protocol):
    """What is needed of an aiokafka ConsumerRecord."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Iterable[tuple[str, bytes]]: ...


class _Top(NamedTuple):
    name: str
    context: bytes
    text: bool


class _Reader(NamedTuple):
    """How to read one version of a type."""

    top: tuple[_Top, ...]
    deep: tuple[tuple[str, tuple[PersonalField, ...]], ...]
    upcasters: tuple[Upcaster, ...]


@cache
def _reader(dataschema: bytes) -> _Reader:
    name, separator, version = dataschema.decode().rpartition(".v")
    if not separator or not version.isdecimal():
        raise UnknownEvent(f"{dataschema!r} is not type.vN")
    fields = personal_fields(event_class(name, int(version)))
    return _Reader(
        tuple(_Top(f.path[0], b"\0" + f.path[0].encode(), f.text) for f in fields if len(f.path) == 1),
        _by_first(field for field in fields if len(field.path) > 1),
        upcasters_from(name, int(version)),
    )


def _by_first(fields: Iterable[PersonalField]) -> tuple[tuple[str, tuple[PersonalField, ...]], ...]:
    """Nested fields by the field of the data that they are in: most events have few of those."""
    grouped: dict[str, list[PersonalField]] = {}
    for field in fields:
        grouped.setdefault(field.path[0], []).append(field)
    return tuple((first, tuple(inside)) for first, inside in grouped.items())


def decode_record(record: Record, keys: Mapping[str, DataKey | None]) -> Flat:
    """The flat form of one record.

    ``keys`` holds the owner's key (``await vault.data_keys(owners)``); without it personal fields are None.
    Raises UnknownEvent for a type or version that is not registered and UndecodableRecord for anything else.
    """
    head = dict(record.headers)
    data = decode_data(record, head, keys)
    try:
        assert record.key is not None
        data["_partition"] = record.partition
        data["_offset"] = record.offset
        data["_id"] = head["ce_id"].decode()
        data["_type"] = head["ce_type"].decode()
        data["_time"] = head["ce_time"].decode()
        data["_stream"] = head["ce_subject"].decode()
        data["_owner"] = record.key.decode()
        data["_tenant"] = head["ce_tenant"].decode()
        data["_actor"] = head["ce_actor"].decode()
        causation = head.get("ce_causation")
        data["_causation"] = None if causation is None else causation.decode()
        correlation = head.get("ce_correlation")
        data["_correlation"] = None if correlation is None else correlation.decode()
        expected = head.get("ce_expectedversion")
        data["_expected"] = None if expected is None else int(expected)
    except (KeyError, ValueError) as error:
        raise undecodable(record, error) from error
    return data


def decode_data(record: Record, head: Mapping[str, bytes], keys: Mapping[str, DataKey | None]) -> Flat:
    """The data alone, in its newest version, for who picks from the envelope what it needs.

    ``head`` is ``dict(record.headers)``. Raises what ``decode_record`` raises.
    """
    try:
        owner, event_id, reader = record.key, head["ce_id"], _reader(head["ce_dataschema"])
        if owner is None or record.value is None:
            raise ValueError("it has no key or no value")
        data: Flat = orjson.loads(record.value)
        if reader.top or reader.deep:
            _open_personal(data, reader, owner, event_id, keys.get(owner.decode()))
        for upcast in reader.upcasters:
            data = upcast(data)
    except UnknownEvent as error:
        raise _unknown_at(record, error) from error
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise undecodable(record, error) from error
    return data


def check_known(record: Record, head: Mapping[str, bytes]) -> None:
    """See that a record's type and version are registered. Raises UnknownEvent and UndecodableRecord."""
    try:
        _reader(head["ce_dataschema"])
    except UnknownEvent as error:
        raise _unknown_at(record, error) from error
    except KeyError as error:
        raise undecodable(record, error) from error


def _unknown_at(record: Record, error: UnknownEvent) -> UnknownEvent:
    position = Position(record.partition, record.offset)
    return UnknownEvent(f"{error.message} (at {position})", position=str(position))


def _open_personal(data: Flat, reader: _Reader, owner: bytes, event_id: bytes, key: DataKey | None) -> None:
    context = owner + b"\0" + event_id
    for name, suffix, text in reader.top:
        token = data.get(name)
        if token is not None:
            data[name] = _open(token, key, context + suffix, text)
    for first, fields in reader.deep:
        if not data.get(first):
            continue
        for field in fields:

            def unseal(token: Any, path: str, text: bool = field.text) -> Any:
                return _open(token, key, context_of(owner, event_id, path), text)

            rewrite(data, field.path, unseal)


def _open(token: str, key: DataKey | None, context: bytes, text: bool) -> Any:
    if not token.startswith(PREFIX):
        raise ValueError("a personal field is not encrypted")
    if key is None:
        return None
    plain = key.open(token[len(PREFIX) :], context)
    return plain.decode() if text else orjson.loads(plain)


def undecodable(record: Record, error: Exception) -> UndecodableRecord:
    """UndecodableRecord with the record's position."""
    position = Position(record.partition, record.offset)
    reason = f"no header {error}" if isinstance(error, KeyError) else str(error)
    return UndecodableRecord(f"the record at {position} is not an event: {reason}", position=str(position))


class Decoder:
    """Decodes batches, fetching the owners' keys first."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def keys(self, records: Iterable[Record]) -> dict[str, DataKey | None]:
        """The keys that these records need, for ``decode_record``."""
        owners = {record.key for record in records}
        return await self._vault.data_keys([o.decode(errors="replace") for o in owners if o is not None])

    async def decode(self, records: list[Any]) -> list[Flat]:
        """The flat form of each record, in order. Raises what ``decode_record`` raises."""
        keys = await self.keys(records)
        return [decode_record(record, keys) for record in records]
