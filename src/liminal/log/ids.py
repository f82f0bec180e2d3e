"""Ids: time-ordered for what happens first here, derived for what follows from a cause."""

from __future__ import annotations

from uuid import UUID, uuid5

import uuid_utils.compat


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562, section 5.7): sorts by the millisecond it was made in."""
    return uuid_utils.compat.uuid7()


def derived_id(cause: UUID, name: str) -> UUID:
    """The UUIDv5 of ``name`` under ``cause``: a reaction that runs twice makes the same event id."""
    return uuid5(cause, name)
