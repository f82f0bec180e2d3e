"""What can go wrong with read models; every class has a stable ``code``."""

from __future__ import annotations

from typing import ClassVar

from liminal.errors import LiminalError


class ProjectorError(LiminalError):
    """Root of the projector's errors."""

    code: ClassVar[str] = "projector"


class BadDefinition(ProjectorError):
    """A folder of projections/ is not a read model; the message names the file."""

    code: ClassVar[str] = "projection_invalid"


class UnknownProjection(ProjectorError):
    """No projection has this name."""

    code: ClassVar[str] = "projection_unknown"


class NoGeneration(ProjectorError):
    """The projection has no generation in the state that the command needs."""

    code: ClassVar[str] = "projection_state"


class Fenced(ProjectorError):
    """Another worker folded this batch, or the generations changed; nothing was written."""

    code: ClassVar[str] = "projector_fenced"


class ForeignLog(ProjectorError):
    """The read models of this database were folded from another log."""

    code: ClassVar[str] = "projector_foreign_log"


class NoJudge(ProjectorError):
    """Versioned events are to be folded, and no projection says which of them are accepted."""

    code: ClassVar[str] = "projector_no_judge"


class LogTruncated(ProjectorError):
    """The log no longer has what is at a checkpoint: it was cut, or it is another topic of the same name."""

    code: ClassVar[str] = "projector_log_truncated"


class RebuildStopped(ProjectorError):
    """A rebuild met what it can't fold; ``details["position"]`` says where. It resumes there."""

    code: ClassVar[str] = "rebuild_stopped"


class RebuildRunning(ProjectorError):
    """Another process rebuilds this projection now."""

    code: ClassVar[str] = "rebuild_running"


class SchemaTaken(ProjectorError):
    """A schema of this name exists."""

    code: ClassVar[str] = "schema_taken"


class SwitchBlocked(ProjectorError):
    """Readers held the views for so long that the switch gave up; nothing changed."""

    code: ClassVar[str] = "switch_blocked"


class NothingParked(ProjectorError):
    """No event of this stream is parked."""

    code: ClassVar[str] = "nothing_parked"


class RetryFailed(ProjectorError):
    """A parked stream failed again; it stays parked."""

    code: ClassVar[str] = "retry_failed"


class DatabaseLost(ProjectorError):
    """Postgres did not come back within the time that a worker waits."""

    code: ClassVar[str] = "projector_database_lost"
