"""How strongly an adapter speaks follows from what it costs, whatever the curve of that is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liminal.learning.training.recipe import SCALES
from liminal.learning.training.strength import strongest

LOSSES = st.lists(st.floats(-0.05, 0.3), min_size=len(SCALES), max_size=len(SCALES))


def test_what_costs_little_speaks_as_loudly_as_may_be() -> None:
    assert strongest(SCALES, [-0.001, 0.0, 0.002, 0.004, 0.009][: len(SCALES)], 0.015) == SCALES[-1]


def test_between_two_scales_the_budget_is_read_off_a_straight_line() -> None:
    assert strongest((0.5, 1.0), (0.01, 0.03), 0.02) == pytest.approx(0.75)
    assert strongest((0.5, 1.0), (0.04, 0.09), 0.02) == pytest.approx(0.25)


@given(LOSSES, st.floats(0.001, 0.05))
def test_the_first_scale_that_costs_too_much_is_never_reached(lost: list[float], budget: float) -> None:
    scale = strongest(SCALES, lost, budget)
    too_much = [known for known, loss in zip(SCALES, lost, strict=True) if loss > budget]
    assert 0 <= scale <= SCALES[-1]
    assert not too_much or scale <= min(too_much)


@given(LOSSES, st.floats(0.001, 0.05), st.floats(0.001, 0.05))
def test_who_may_forget_more_speaks_no_less_loudly(lost: list[float], one: float, other: float) -> None:
    assert strongest(SCALES, lost, min(one, other)) <= strongest(SCALES, lost, max(one, other))
