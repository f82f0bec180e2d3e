"""Errors of the learning room."""

from __future__ import annotations

from typing import ClassVar

from liminal.errors import LiminalError


class LearningError(LiminalError):
    """Root of this room's errors."""

    code: ClassVar[str] = "learning_error"


class NoSuchAdapter(LearningError):
    """No adapter of that name serves this account."""

    code: ClassVar[str] = "adapter_not_found"


class ArchiveInvalid(LearningError):
    """A blob that should be an adapter is not a PEFT archive."""

    code: ClassVar[str] = "adapter_archive_invalid"


class GateNotPassed(LearningError):
    """A version that did not pass its gate can't serve (invariant I7)."""

    code: ClassVar[str] = "gate_not_passed"


class NoSuchMessage(LearningError):
    """There is no such message."""

    code: ClassVar[str] = "not_found"
