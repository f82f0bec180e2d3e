"""What a run reports while it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One optimizer step.

    Attributes:
      step: steps done, of ``steps``.
      loss: mean over the adapters that took part in the step; ``losses`` has each by name.
      margin: mean over the step's pairs of ρ_chosen − ρ_rejected and over its thumbs of ±ρ, where ρ is the
        log-ratio to the reference in nats; None without either.
      learning_rate: the largest of the adapters'.
      tokens: tokens run so far, padding and references not counted.
      tokens_per_second: over the last steps, compilation excluded; 0 until the second step.
      seconds: since the run began; eta_seconds: until it ends, None until the second step.
    """

    step: int
    steps: int
    loss: float
    losses: Mapping[str, float]
    margin: float | None
    learning_rate: float
    tokens: int
    tokens_per_second: float
    seconds: float
    eta_seconds: float | None
