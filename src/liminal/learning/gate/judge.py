"""The gate: a new version serves only when it is better than what serves, and forgot nothing.

With ten corrections nothing can be kept back and still decide, so every lesson is judged by an adapter of the
same run that did not learn it (cross-fitting over conversations); docs/decisions.md has the reasons.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from liminal.engine.peft import Adapter
from liminal.engine.training import BASE, BaseModel, Completion, Mixture, drift, score
from liminal.learning.evidence.dataset import FOLDS, DataSet
from liminal.learning.evidence.lessons import Lesson, said_by_assistant
from liminal.learning.gate.general import General
from liminal.learning.training.recipe import CANDIDATE, MICRO_TOKENS, fold_name
from liminal.log.events import Figure
from liminal.steering.learning_policy import Gate

RESAMPLES = 10_000
HALF_LIFE = 6
"""Lessons after which one counts half here; fewer than in training: the gate asks what is wanted now."""
ROUNDING = 1e-9
JUDGED = 24
"""Lessons that are judged, the newest: what came before counts a sixteenth and less."""
STANDARD_ERRORS = 2.0
"""Half the width of the interval that a figure of general answers is reported with."""


@dataclass(frozen=True)
class Judged:
    """One lesson at the gate.

    Attributes:
        weight: what it counts beside the newest one.
        before, after: NLL a token of what was wanted, in nats: of what serves, and of an adapter of this run
            that did not learn the lesson; ``after`` is None where there was none.
        kept_before, kept_after: whether what was wanted is likelier than what was said instead; None without
            such a pair.
        fresh: the serving version did not learn it either.
    """

    lesson: Lesson
    weight: float
    before: float
    after: float | None
    kept_before: bool | None
    kept_after: bool | None
    fresh: bool


@dataclass(frozen=True)
class Report:
    """What the gate measured.

    Attributes:
        figures: one row per measure.
        regressions: stored corrections that the serving version kept and the candidate does not.
        judged: every lesson that says what is wanted.
    """

    figures: list[Figure]
    regressions: int
    judged: list[Judged]

    @property
    def passed(self) -> bool:
        """Whether every figure is good enough."""
        return all(figure.passed for figure in self.figures)

    @property
    def reasons(self) -> list[str]:
        """Names of the figures that are not."""
        return [figure.name for figure in self.figures if not figure.passed]

    @property
    def held_out(self) -> int:
        """Lessons that the comparison rests on."""
        return sum(item.fresh and item.after is not None for item in self.judged)


def judge(
    model: BaseModel,
    adapters: Mapping[str, Adapter],
    serving: Adapter | None,
    data: DataSet,
    learned_before: Collection[UUID],
    general: General,
    policy: Gate,
    seed: int,
) -> Report:
    """Hold a candidate against what serves now.

    adapters: of recipe.jobs. learned_before: the feedback that shaped ``serving``. general: what must not be
    forgotten.
    """
    judged = _judge_lessons(model, adapters, serving, data, set(learned_before))
    better = held_out_figure(judged, policy.interval, seed)
    candidate = adapters[CANDIDATE]
    forgot = kept_figure("general_nll", model, candidate, general.one_form, policy.general_budget)
    told = kept_figure("told_nll", model, candidate, general.told, policy.told_budget)
    pairs = [item for item in judged if item.kept_before is not None]
    kept = regressions_figure(pairs, policy.regressions)
    lost = sum(bool(item.kept_before) and not item.kept_after for item in pairs)
    return Report([better, forgot, told, kept], lost, judged)


def _judge_lessons(
    model: BaseModel,
    adapters: Mapping[str, Adapter],
    serving: Adapter | None,
    data: DataSet,
    learned_before: set[UUID],
) -> list[Judged]:
    folds, recency = data.folds(), data.recency(HALF_LIFE)
    wanted = [(place, item) for place, item in enumerate(data.lessons) if item.wanted is not None][-JUDGED:]
    if not wanted:
        return []
    serves: Mixture = BASE if serving is None else [(serving, 1.0)]
    lessons = [item for _, item in wanted]
    likelihoods = _Likelihoods(model, lessons, serves, [(adapters[CANDIDATE], 1.0)])
    own = [adapters.get(fold_name(folds[place])) for place, _ in wanted]
    after = likelihoods.unlearned(own)
    return [
        Judged(
            lesson=item,
            weight=recency[place],
            before=float(likelihoods.before[number]),
            after=after[number],
            kept_before=None if margin is None else margin[0] > 0,
            kept_after=None if margin is None else margin[1] > 0,
            fresh=not learned_before & set(item.feedback_ids),
        )
        for number, ((place, item), margin) in enumerate(zip(wanted, likelihoods.margins, strict=True))
    ]


class _Likelihoods:
    """What the gate's mixtures make of each lesson; nothing is run that no figure asks for."""

    def __init__(
        self, model: BaseModel, lessons: Sequence[Lesson], serves: Mixture, candidate: Mixture
    ) -> None:
        self._model = model
        self._texts = [Completion(item.prompt, said_by_assistant(item.wanted or "")) for item in lessons]
        said = [item.unwanted for item in lessons]
        paired = [number for number, text in enumerate(said) if text is not None]
        others = [Completion(lessons[n].prompt, said_by_assistant(said[n] or "")) for n in paired]
        scores = score(model, [*self._texts, *others], [serves, candidate], micro_tokens=MICRO_TOKENS)
        self.before = scores.nll[0, : len(lessons)]
        self.margins: list[tuple[float, float] | None] = [None] * len(lessons)
        for place, number in enumerate(paired):
            before, after = scores.logps[:, number] - scores.logps[:, len(lessons) + place]
            self.margins[number] = (float(before), float(after))

    def unlearned(self, own: Sequence[Adapter | None]) -> list[float | None]:
        """NLL a token of each lesson's wanted answer under the adapter that did not learn it."""
        found: list[float | None] = [None] * len(own)
        for adapter in {one.content_hash: one for one in own if one is not None}.values():
            numbers = [n for n, one in enumerate(own) if one is not None and one is adapter]
            texts = [self._texts[number] for number in numbers]
            nll = score(self._model, texts, [[(adapter, 1.0)]], micro_tokens=MICRO_TOKENS).nll[0]
            for number, value in zip(numbers, nll, strict=True):
                found[number] = float(value)
        return found


def regressions_figure(pairs: Sequence[Judged], allowed: int) -> Figure:
    """How many corrections are kept, newer ones counting more.

    Whoever turned round wants the old ones lost: a plain count would hold them to what they wanted before.
    """
    whole = sum(pair.weight for pair in pairs)

    def kept(flags: Iterable[bool | None]) -> float:
        weights = sum(pair.weight for pair, flag in zip(pairs, flags, strict=True) if flag)
        return len(pairs) * weights / whole if pairs else 0.0

    before, after = kept(pair.kept_before for pair in pairs), kept(pair.kept_after for pair in pairs)
    return Figure(
        name="regressions", candidate=after, baseline=before, passed=after >= before - allowed - ROUNDING
    )


def held_out_figure(judged: Sequence[Judged], level: float, seed: int) -> Figure:
    """Mean NLL of wanted answers that neither side learned; passed when the gain's interval is above zero.

    Newer ones count more. Conversations are resampled where there are several of them, else lessons: what was
    said in one sitting is alike. Fewer than two prove nothing.
    """
    used = [item for item in judged if item.fresh and item.after is not None]
    groups: dict[UUID, list[Judged]] = {}
    for item in used:
        groups.setdefault(item.lesson.conversation_id, []).append(item)
    units = list(groups.values()) if len(groups) >= FOLDS else [[item] for item in used]
    weights = [sum(item.weight for item in unit) for unit in units]
    gains = [_mean(unit, [item.before - (item.after or 0.0) for item in unit]) for unit in units]
    low, high = interval(np.asarray(gains), np.asarray(weights), level, seed)
    return Figure(
        name="not_better",
        candidate=_mean(used, [item.after or 0.0 for item in used]),
        baseline=_mean(used, [item.before for item in used]),
        low=low,
        high=high,
        passed=low is not None and low > 0,
    )


def _mean(items: Sequence[Judged], values: Sequence[float]) -> float:
    return float(np.average(values, weights=[item.weight for item in items])) if items else 0.0


def interval(
    gains: NDArray[np.float64], weights: NDArray[np.float64], level: float, seed: int
) -> tuple[float, float] | tuple[None, None]:
    """The expanded percentile bootstrap interval of the weighted mean (Hesterberg, arXiv:1411.5279, 5.2).

    The plain percentile interval is too narrow for few values: as the normal's quantile is to Student's t,
    and a variance over n to one over n − 1. Its level is raised by just that, n being Kish's effective number
    of values, (Σw)²/Σw².
    """
    count = len(gains)
    if count < 2:
        return None, None
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    wide = np.sqrt(effective / (effective - 1)) * stats.t.ppf((1 + level) / 2, effective - 1)
    tail = float(stats.norm.cdf(-wide))
    draws = np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))
    means = (weights[draws] * gains[draws]).sum(axis=1) / weights[draws].sum(axis=1)
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def kept_figure(
    name: str, model: BaseModel, candidate: Adapter, general: Sequence[Completion], budget: float
) -> Figure:
    """What a candidate forgot: the likelihood of general answers, a token, may fall by the share ``budget``.

    What falls is the mean over all that the base might have said (KL), not over the words that it happened to
    say: greedy words are likelier still to a model that grew surer of itself, which would hide what it
    forgot. ``low`` and ``high`` are the candidate's figure as far as so many answers tell it.
    """
    found = drift(model, general, [[(candidate, 1.0)]], micro_tokens=MICRO_TOKENS)
    tokens, kl = found.tokens.sum(), found.kl[0]
    base, lost = float(found.entropy.sum() / tokens), float(kl.sum() / tokens)
    # of a ratio of sums over answers, by its linear part
    error = STANDARD_ERRORS * float(np.sqrt(((kl - lost * found.tokens) ** 2).sum()) / tokens)
    return Figure(
        name=name,
        candidate=base + lost,
        baseline=base,
        low=base + lost - error,
        high=base + lost + error,
        passed=bool(np.exp(-lost) >= 1 - budget),
    )
