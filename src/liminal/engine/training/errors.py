"""What training refuses or fails on, each with a stable code."""

from __future__ import annotations

from typing import ClassVar

from liminal.engine.errors import EngineError


class TrainingError(EngineError):
    """Root of the errors of training."""

    code: ClassVar[str] = "training_error"


class TrainingDataInvalid(TrainingError):
    """An example or a data file that cannot be learned from; the message says which and why."""

    code = "training_data_invalid"


class TrainingConfigInvalid(TrainingError):
    """Settings that contradict each other or the base model."""

    code = "training_config_invalid"


class TrainingDiverged(TrainingError):
    """The loss is no longer a finite number."""

    code = "training_diverged"


class CheckpointInvalid(TrainingError):
    """A checkpoint that cannot be read, or that belongs to another run."""

    code = "checkpoint_invalid"
