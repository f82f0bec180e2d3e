"""Errors of the learning room."""

from __future__ import annotations

from typing import ClassVar

from liminal.errors import LiminalError


class LearningError(LiminalError):
    """Root of this room's errors."""

    code: ClassVar[str] = "learning_error"


class GeneralAnswersInvalid(LearningError):
    """A file that should hold a base model's general answers does not."""

    code: ClassVar[str] = "general_answers_invalid"


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


class NoSuchRun(LearningError):
    """There is no such training run."""

    code: ClassVar[str] = "not_found"


class NoSuchVersion(LearningError):
    """There is no such adapter, or no such version of it."""

    code: ClassVar[str] = "not_found"


class RunEnded(LearningError):
    """The run came to its end before it could be called off."""

    code: ClassVar[str] = "run_ended"


class VersionState(LearningError):
    """The version is not in a state in which this can be done to it."""

    code: ClassVar[str] = "version_state"


class RunCancelled(LearningError):
    """A run was called off while it went on."""

    code: ClassVar[str] = "run_cancelled"


class BaseChanged(LearningError):
    """A run was queued for another base model than the one that is loaded."""

    code: ClassVar[str] = "base_changed"


class NoSuchPreference(LearningError):
    """There is no such preference, or it was deleted."""

    code: ClassVar[str] = "not_found"


class NoSuchSkill(LearningError):
    """There is no such skill."""

    code: ClassVar[str] = "not_found"


class SkillDecided(LearningError):
    """The skill was merged or pruned, which is for good; ``details["state"]`` says which."""

    code: ClassVar[str] = "skill_ended"


class ReadModelsApart(LearningError):
    """The read models that a pass needs do not come to stand at the same offsets; it is tried again."""

    code: ClassVar[str] = "read_models_apart"
