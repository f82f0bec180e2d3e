"""The gate's statistics, by themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.learning.test_dataset import lesson

from liminal.learning.adapters.watch import Judged as Answers
from liminal.learning.adapters.watch import worse_beyond_chance
from liminal.learning.evidence.dataset import DataSet
from liminal.learning.gate.judge import HALF_LIFE, Judged, held_out_figure, interval, regressions_figure


def judged(gains: list[float], *, fresh: bool = True) -> list[Judged]:
    """Lessons whose wanted answers became likelier by these gains, in nats a token."""
    return [
        Judged(lesson(number), 1.0, 1.0, 1.0 - gain, None, None, fresh) for number, gain in enumerate(gains)
    ]


def test_ten_lessons_that_all_gain_pass() -> None:
    figure = held_out_figure(judged([0.3, 0.5, 0.2, 0.6, 0.4, 0.3, 0.7, 0.2, 0.5, 0.4]), 0.95, 0)
    assert figure.passed
    assert figure.low is not None
    assert figure.low > 0


@pytest.mark.parametrize("gains", [[0.5], [0.5, 0.4], [0.9, -0.8, 0.7, -0.6, 0.5, -0.4], [-0.2] * 8, []])
def test_few_or_mixed_or_worse_lessons_do_not_pass(gains: list[float]) -> None:
    figure = held_out_figure(judged(gains), 0.95, 0)
    assert not figure.passed or len(gains) == 2


def test_what_the_serving_version_had_learned_says_nothing_about_which_is_better() -> None:
    assert not held_out_figure(judged([0.5] * 9, fresh=False), 0.95, 0).passed


def test_what_gets_better_for_those_who_turned_round_passes_though_the_old_gets_worse() -> None:
    gains = [-0.1] * 30 + [0.5] * 12
    recency = DataSet(tuple(map(lesson, range(42)))).recency(HALF_LIFE)
    items = [replace(item, weight=weight) for item, weight in zip(judged(gains), recency, strict=True)]
    assert held_out_figure(items, 0.95, 0).passed
    assert not held_out_figure(items[:32], 0.95, 0).passed


def test_noise_passes_as_seldom_as_the_level_says_but_for_the_fewest() -> None:
    rng = np.random.default_rng(1)
    trials = 400
    for count, most in ((4, 0.09), (6, 0.06), (10, 0.05), (40, 0.05)):
        for weights in (np.ones(count), 0.5 ** (np.arange(count)[::-1] / 12)):
            passed = sum(
                (interval(rng.normal(0, 1, count), weights, 0.95, 0)[0] or -1) > 0 for _ in range(trials)
            )
            assert passed / trials <= most, f"{passed} of {trials} with {count} lessons"


def test_who_turned_round_is_not_held_to_what_they_wanted_before() -> None:
    def pairs(turned: int, before: int = 40) -> list[Judged]:
        return [
            Judged(lesson(number), weight, 1.0, 0.9, number < before, number >= before, number >= before)
            for number, weight in enumerate(
                DataSet(tuple(map(lesson, range(before + turned)))).recency(HALF_LIFE)
            )
        ]

    assert not regressions_figure(pairs(3), 0).passed
    assert regressions_figure(pairs(14), 0).passed
    same = regressions_figure([replace(item, kept_after=item.kept_before) for item in pairs(6)], 0)
    assert same.passed
    assert same.candidate == same.baseline


def test_a_version_is_worse_only_beyond_chance() -> None:
    good, same, bad = Answers(60, 6), Answers(40, 5), Answers(20, 15)
    assert worse_beyond_chance(same, good, 0.05, 10) is None
    p = worse_beyond_chance(bad, good, 0.05, 10)
    assert p is not None
    assert p < 1e-4
    assert worse_beyond_chance(Answers(5, 5), good, 0.05, 10) is None, "too few answers to tell"
    assert worse_beyond_chance(bad, Answers(0, 0), 0.05, 10) is None, "nothing to compare with"


def test_equal_versions_are_hardly_ever_rolled_back_however_often_it_is_looked_at() -> None:
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(200):
        before = Answers(50, int(rng.binomial(50, 0.3)))
        bad = 0
        for answers in range(1, 81):
            failed = bool(rng.random() < 0.3)
            bad += failed
            if failed and worse_beyond_chance(Answers(answers, bad), before, 0.05, 10) is not None:
                wrong += 1
                break
    assert wrong / 200 <= 0.05
