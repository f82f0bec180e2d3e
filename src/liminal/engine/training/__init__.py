"""LoRA adapters learned from examples: SFT, DPO, KTO; several users' at once; the same bytes every time.

from liminal.engine.training import Completion, train

adapter = train("path/to/model", [Completion("Hello", "Hi there.")], folder="adapters/hello")
"""

from __future__ import annotations

from liminal.engine.training.base import BaseModel
from liminal.engine.training.config import TrainConfig
from liminal.engine.training.errors import (
    CheckpointInvalid,
    TrainingConfigInvalid,
    TrainingDataInvalid,
    TrainingDiverged,
    TrainingError,
)
from liminal.engine.training.examples import (
    Completion,
    Conversation,
    Distillation,
    Document,
    Example,
    Judgement,
    Preference,
    parse_example,
    read_examples,
)
from liminal.engine.training.lessons import Lesson
from liminal.engine.training.progress import Progress
from liminal.engine.training.run import TrainingRun
from liminal.engine.training.score import BASE, Drift, Mixture, Scores, drift, preference_margins, score
from liminal.engine.training.train import train, train_together, training_progress, write_result

__all__ = [
    "BASE",
    "BaseModel",
    "CheckpointInvalid",
    "Completion",
    "Conversation",
    "Distillation",
    "Document",
    "Drift",
    "Example",
    "Judgement",
    "Lesson",
    "Mixture",
    "Preference",
    "Progress",
    "Scores",
    "TrainConfig",
    "TrainingConfigInvalid",
    "TrainingDataInvalid",
    "TrainingDiverged",
    "TrainingError",
    "TrainingRun",
    "drift",
    "parse_example",
    "preference_margins",
    "read_examples",
    "score",
    "train",
    "train_together",
    "training_progress",
    "write_result",
]
