"""How strongly a trained adapter speaks: as strongly as it can without forgetting what the base model does.

How far an adapter goes in its steps depends on what it learns: a line at the end is learned in a few, another
language of dates in many, and no number of steps suits both. So every run takes the same steps, and what came
out is then scaled (LoRA's α) by what it costs on general answers that neither training nor the gate looks at.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from liminal.engine.peft import Adapter
from liminal.engine.training import BaseModel, Completion, Mixture, drift
from liminal.learning.gate.general import General
from liminal.learning.training.recipe import CANDIDATE, MICRO_TOKENS

ONE_FORM_BUDGET = 0.015
TOLD_BUDGET = 0.03
"""Likelihood that a scale may cost: less than the gate's own allowance, for that measures other answers."""


def strongest(scales: Sequence[float], lost: Sequence[float], budget: float) -> float:
    """The largest scale, down to the hundredth, that loses at most ``budget``.

    lost: the share of likelihood that each of ``scales`` (growing) loses; 0 loses nothing. Between two scales
    it is read off a straight line, which is above the curve: what is lost grows ever faster.
    """
    within, spent = 0.0, 0.0
    for scale, loss in zip(scales, lost, strict=True):
        if loss > budget:
            within += (scale - within) * (budget - spent) / (loss - spent)
            break
        within, spent = scale, loss
    return math.floor(100 * within) / 100


def with_strength(
    model: BaseModel, adapters: Mapping[str, Adapter], general: General, scales: Sequence[float]
) -> dict[str, Adapter]:
    """All adapters of a run at the scale that suits its candidate: those that judge it are to be like it."""
    if len(scales) == 1:
        return dict(adapters)
    candidate = adapters[CANDIDATE]
    mixtures: list[Mixture] = [[(candidate, scale)] for scale in scales]
    scale = min(
        strongest(scales, _lost(model, general.one_form, mixtures), ONE_FORM_BUDGET),
        strongest(scales, _lost(model, general.told, mixtures), TOLD_BUDGET),
    )
    return {name: replace(adapter, alpha=adapter.alpha * scale) for name, adapter in adapters.items()}


def _lost(model: BaseModel, general: Sequence[Completion], mixtures: Sequence[Mixture]) -> list[float]:
    return drift(model, general, mixtures, micro_tokens=MICRO_TOKENS).lost.tolist()
