"""Cursor pages: a list in a total order, read on from the last row seen (keyset pagination)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import orjson

from liminal.storage.errors import StorageError

Item = TypeVar("Item")


class BadCursor(StorageError):
    """The cursor is not one that this list gave out."""

    code: ClassVar[str] = "bad_cursor"


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items; ``next_cursor`` is None on the last page."""

    items: Sequence[Item]
    next_cursor: str | None


def encode_cursor(*parts: Any) -> str:
    """An opaque cursor of the last row's sort keys (datetimes, UUIDs, numbers, text, None)."""
    # asyncpg's UUIDs are a subclass, which orjson leaves to ``default``
    return base64.urlsafe_b64encode(orjson.dumps(parts, default=str)).decode().rstrip("=")


def decode_cursor(cursor: str, *parsers: Callable[[Any], Any]) -> list[Any]:
    """The parts that ``encode_cursor`` was given, each through its parser. Raises BadCursor."""
    try:
        parts = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(parts, list) or len(parts) != len(parsers):
            raise BadCursor("The cursor is not one that this list gave out.")
        return [parse(part) for parse, part in zip(parsers, parts, strict=True)]
    except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error) as error:
        raise BadCursor("The cursor is not one that this list gave out.") from error
