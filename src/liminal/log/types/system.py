"""Settings, and the right to be forgotten."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from liminal.log.event import Event
from liminal.log.types.common import By, Json


class SettingsChanged(Event):
    """Somebody chose how liminal should behave, on the stream ``settings-<subject>``."""

    type = "settings.changed"
    category = "settings"

    scope: Literal["account", "tenant", "system"]
    """Whose settings."""
    subject: str
    """The account or tenant, or ``system``."""
    changes: Json
    """What changed: an object of names and new values, null for back to the default."""


class ErasureEvent(Event):
    """Any event of one erasure, on the stream ``erasure-<erasure_id>``. Nothing in it is personal."""

    category = "erasure"

    erasure_id: UUID
    """The erasure."""
    scope: Literal["account", "tenant", "conversation", "feedback", "file"]
    """What is to be forgotten: one thing, or everything of an account or tenant."""
    subject: str
    """Its id."""


class ErasureRequested(ErasureEvent):
    """Something is to be forgotten."""

    type = "erasure.requested"

    by: By
    """Who asked."""


class ErasureCompleted(ErasureEvent):
    """It is forgotten: keys deleted, blobs deleted, read models folded again."""

    type = "erasure.completed"

    key_deleted: bool
    """Whether the owner's data key was deleted."""
    removed: dict[str, int]
    """How many of what was removed: rows, blobs, passages, adapters."""
