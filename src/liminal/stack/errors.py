"""What can go wrong with a stack."""

from __future__ import annotations

from typing import ClassVar

from liminal.errors import LiminalError


class StackError(LiminalError):
    """The embedded stack can't do what was asked."""

    code: ClassVar[str] = "stack.failed"


class HomeInUse(StackError):
    """Another supervisor holds this home."""

    code: ClassVar[str] = "stack.home_in_use"


class ChildFailed(StackError):
    """A child process ended, or did not answer in time, before it was ready."""

    code: ClassVar[str] = "stack.child_failed"


class ChecksumMismatch(StackError):
    """A downloaded file is not the one that the lock names."""

    code: ClassVar[str] = "stack.checksum_mismatch"


class PortInUse(StackError):
    """The web port that was asked for is taken."""

    code: ClassVar[str] = "stack.port_in_use"
