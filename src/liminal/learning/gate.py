"""The gate: a new version serves only when it is better than what serves, and forgot nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liminal.engine.peft import Adapter
from liminal.engine.training import (
    BASE,
    BaseModel,
    Completion,
    Mixture,
    Preference,
    preference_margins,
    score,
)
from liminal.log.events import Figure

GENERAL_BUDGET = 0.02
"""Share by which the NLL of general answers may rise over the base model's."""
RESAMPLES = 2000
LEVEL = 0.95
"""Of the bootstrap interval of the held-out improvement."""


@dataclass(frozen=True)
class Report:
    """What the gate measured.

    Attributes:
        figures: one row per measure.
        regressions: stored corrections that the serving version preferred and the candidate does not.
        examples: held-out examples.
    """

    figures: list[Figure]
    regressions: int
    examples: int

    @property
    def passed(self) -> bool:
        """Whether every figure is good enough."""
        return all(figure.passed for figure in self.figures)

    @property
    def reasons(self) -> list[str]:
        """Names of the figures that are not."""
        return [figure.name for figure in self.figures if not figure.passed]


def judge(
    model: BaseModel,
    candidate: Adapter,
    serving: Adapter | None,
    held_out: Sequence[Completion],
    cases: Sequence[Preference],
    general: Sequence[Completion],
    seed: int,
) -> Report:
    """Hold a candidate against what serves now.

    held_out: answers it did not learn from. cases: every stored correction with the answer it corrected.
    general: answers of the base model's own, which it must not forget.
    """
    mixtures: list[Mixture] = [BASE if serving is None else [(serving, 1.0)], [(candidate, 1.0)]]
    nll = score(model, held_out, mixtures).nll
    better = _held_out(nll[0], nll[1], seed)
    forgot = general_figure(model, candidate, general, GENERAL_BUDGET)
    margins = preference_margins(model, cases, mixtures) if cases else np.zeros((2, 0))
    before, after = margins[0] > 0, margins[1] > 0
    kept = Figure(
        name="regressions",
        candidate=float(after.sum()),
        baseline=float(before.sum()),
        passed=bool(after.sum() >= before.sum()),
    )
    return Report([better, forgot, kept], int((before & ~after).sum()), len(held_out))


def _held_out(before: NDArray[np.float64], after: NDArray[np.float64], seed: int) -> Figure:
    gain = before - after
    draws = np.random.default_rng(seed).integers(0, len(gain), (RESAMPLES, len(gain)))
    means = gain[draws].mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure(
        name="not_better",
        candidate=float(after.mean()),
        baseline=float(before.mean()),
        low=float(low),
        high=float(high),
        passed=bool(low > 0),
    )


def general_figure(
    model: BaseModel, candidate: Adapter, general: Sequence[Completion], budget: float
) -> Figure:
    """What a candidate forgot: NLL of general answers, at most ``budget`` over the base model's."""
    base, new = score(model, general, [BASE, [(candidate, 1.0)]]).mean_nll
    return Figure(
        name="general_nll",
        candidate=float(new),
        baseline=float(base),
        passed=bool(new <= base * (1 + budget)),
    )
