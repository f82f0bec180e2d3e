"""The settings of a training run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from liminal.engine.params import TARGETS
from liminal.engine.training.errors import TrainingConfigInvalid

HANDFUL = 16
"""Fewer thumbs than this give no usable KL estimate; ``unpaired="auto"`` then does without one."""


@dataclass(frozen=True)
class TrainConfig:
    """How adapters are trained. The defaults suit a few dozen corrections of a small model.

    Attributes:
      rank, alpha: LoRA's r and α; a linear's output grows by α/r · B·A·x. A run that continues an adapter
        takes both from it.
      targets: the linears that carry LoRA.
      layers: how many of the last layers carry it; None for all. What enters the first of them is computed
        once for each sequence of a run, whatever its steps and jobs.
      learning_rate: AdamW's largest rate, reached after ``warmup`` (a share of the steps).
      schedule: how the rate falls after the warm-up: not at all, in a line to 0, or along a cosine to 0.
      batch_size: examples of one adapter that an optimizer step averages over.
      micro_tokens: tokens of one forward pass; a step that has more is accumulated over several.
      memory_bytes: what a run may take beside the weights. Passes are made smaller until it fits; what does
        not fit a row at a time is refused.
      max_steps: end earlier than ``epochs`` would.
      clip: largest gradient norm of one adapter.
      beta: strength of the reference in DPO and KTO.
      unpaired: the loss of thumbs: ``kto``; ``apo_zero``, KTO without its KL estimate; ``auto``, apo_zero for
        fewer than HANDFUL thumbs.
      desirable_weight, undesirable_weight: of thumbs up and down.
      chosen_weight: adds that share of the chosen answers' NLL to DPO (RPO, arXiv:2404.19733).
      reference: what DPO and KTO measure against: ``start``, the adapter that the run continues (the base if
        it begins anew), or ``base``.
      reference_pass: ``precomputed``, once before the first step, or ``joint``, as further rows of every
        forward pass.
      replay_ratio: replayed examples in a step for each of its own; ``replay_weight`` weighs their loss.
      replay_to: what replayed answers are held to: their own words, or at each of their tokens the base
        model's whole distribution, which is computed once.
      keep_weight: weighs KL(base ‖ policy) on what corrections kept of the model's answer (Completion.said).
      kl_weight: weighs KL(policy ‖ base), over the replayed answers, or the step's own if none are replayed.
      max_length: longest sequence in tokens.
      packing: several sequences in a row (they never see each other); else one, rows grouped by length.
      remat: recompute the layers in the backward pass, for memory; on a processor it saves a tenth at most.
      seed: of LoRA's start and of the order; the same data, base, settings and seed give the same bytes.
      checkpoint_every: steps.
    """

    rank: int = 8
    alpha: float = 16.0
    targets: tuple[str, ...] = TARGETS
    layers: int | None = None
    learning_rate: float = 1e-3
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    warmup: float = 0.1
    epochs: int = 6
    max_steps: int | None = None
    batch_size: int = 8
    micro_tokens: int = 2048
    memory_bytes: int = 2 << 30
    weight_decay: float = 0.0
    clip: float = 1.0
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    beta: float = 0.1
    unpaired: Literal["auto", "kto", "apo_zero"] = "auto"
    desirable_weight: float = 1.0
    undesirable_weight: float = 1.0
    chosen_weight: float = 0.0
    reference: Literal["start", "base"] = "start"
    reference_pass: Literal["precomputed", "joint"] = "precomputed"
    replay_ratio: float = 0.5
    replay_weight: float = 1.0
    replay_to: Literal["answer", "base"] = "answer"
    keep_weight: float = 1.0
    kl_weight: float = 0.0
    max_length: int = 1024
    packing: bool = True
    remat: bool = False
    seed: int = 0
    checkpoint_every: int = 25

    def __post_init__(self) -> None:
        """Raise TrainingConfigInvalid for a value that can never be meant."""
        for name in (
            "rank",
            "epochs",
            "batch_size",
            "micro_tokens",
            "memory_bytes",
            "max_length",
            "checkpoint_every",
        ):
            if getattr(self, name) < 1:
                raise TrainingConfigInvalid(
                    f"{name} must be at least 1, not {getattr(self, name)}", field=name
                )
        for name in ("learning_rate", "alpha", "beta", "clip"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise TrainingConfigInvalid(f"{name} must be positive, not {getattr(self, name)}", field=name)
        for name in (
            "weight_decay",
            "chosen_weight",
            "replay_ratio",
            "replay_weight",
            "keep_weight",
            "kl_weight",
        ):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise TrainingConfigInvalid(f"{name} must not be negative", field=name)
        if not 0 <= self.warmup < 1:
            raise TrainingConfigInvalid(f"warmup is a share of the steps, not {self.warmup}", field="warmup")
        if self.layers is not None and self.layers < 1:
            raise TrainingConfigInvalid(f"layers must be at least 1, not {self.layers}", field="layers")
        unknown = sorted(set(self.targets) - set(TARGETS))
        if unknown or not self.targets:
            raise TrainingConfigInvalid(
                f"targets must be some of {', '.join(TARGETS)}; not {unknown}", field="targets"
            )

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of step 0 ≤ step < steps; 0 from then on."""
        if step >= steps:
            return 0.0
        rising = math.ceil(self.warmup * steps) if self.schedule != "constant" or self.warmup else 0
        if step < rising:
            # the first step learns too: with a handful of steps none is to spare
            return self.learning_rate * (step + 1) / (rising + 1)
        if self.schedule == "constant":
            return self.learning_rate
        done = (step - rising) / max(steps - rising, 1)
        if self.schedule == "linear":
            return self.learning_rate * (1 - done)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
