"""The root of every error that liminal raises on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class LiminalError(Exception):
    """An error with a stable code, a sentence for a person, and details for a program.

    Each room derives its own small hierarchy and sets ``code``; the API maps codes to statuses
    in one place.
    """

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, Any] = details
