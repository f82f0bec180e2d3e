"""Errors of the steering room."""

from __future__ import annotations

from typing import ClassVar, NotRequired, TypedDict

from liminal.errors import LiminalError


class SteeringError(LiminalError):
    """Root of this room's errors."""

    code: ClassVar[str] = "steering_error"


class NoSuchArtifact(SteeringError):
    """There is no such artifact, or no such version of it."""

    code: ClassVar[str] = "not_found"


class NoSuchKind(SteeringError):
    """There are no artifacts of this kind."""

    code: ClassVar[str] = "artifact_kind_unknown"


class ArtifactInvalid(SteeringError):
    """A body does not fit its kind; ``details["problems"]`` says where and what was expected."""

    code: ClassVar[str] = "artifact_invalid"


class ArtifactExists(SteeringError):
    """The tenant has such an artifact already."""

    code: ClassVar[str] = "artifact_exists"


class ArtifactRequired(SteeringError):
    """An artifact that the installation can't do without."""

    code: ClassVar[str] = "artifact_required"


class NoSuchPatch(SteeringError):
    """There is no such patch."""

    code: ClassVar[str] = "not_found"


class PatchStale(SteeringError):
    """A patch does not fit the version that it would change."""

    code: ClassVar[str] = "patch_stale"


class PatchDecided(SteeringError):
    """The patch was rejected or applied before."""

    code: ClassVar[str] = "patch_decided"


class PatchNotBacktested(SteeringError):
    """A routing patch is approved only after it was tried on past turns."""

    code: ClassVar[str] = "patch_not_backtested"


class Problem(TypedDict):
    """One thing that is wrong with a body: a JSON pointer, a sentence, and of an expression its place."""

    path: str
    message: str
    line: NotRequired[int]
    column: NotRequired[int]
