"""Rows, weights and schedules: what a step sees."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liminal.engine.config import small_config
from liminal.engine.training import Lesson, TrainConfig, TrainingConfigInvalid
from liminal.engine.training.bank import TrainingBank, fresh_adapter
from liminal.engine.training.batch import Piece, packed_length, size_above
from liminal.engine.training.encoding import Encoded, joined
from liminal.engine.training.outlook import fitted, run_memory
from liminal.engine.training.plan import Item, Job, Kind, Plan, lay_out


def sequence(length: int, answer: int = 1) -> Encoded:
    tokens = np.arange(1, length + 1, dtype=np.int32)
    return joined(tokens[: length - answer], tokens[length - answer :])


@given(st.integers(0, 5000), st.sampled_from([1, 8, 64]))
def test_sizes_are_few_and_never_half_too_large(number: int, least: int) -> None:
    size = size_above(number, least)
    assert size >= number
    assert size <= max(least, 2, 1.5 * number)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(2, 64), st.integers(0, 2)), min_size=1, max_size=3),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 8),
    st.booleans(),
)
def test_every_piece_has_a_place_of_its_own_in_a_row_of_its_adapter(
    sizes: list[list[tuple[int, int]]], limit: int, single: bool
) -> None:
    groups = [[Piece(sequence(size), line) for size, line in group] for group in sizes]
    batches = lay_out(groups, 64, limit, single)
    assert sorted(index for _, held in batches for index, _ in held) == list(range(len(groups)))
    for rows, held in batches:
        assert rows <= max(limit, max(len(group) for group in groups))
        taken: dict[int, list[tuple[int, int, int]]] = {}
        for index, slots in held:
            for piece, (row, offset) in zip(groups[index], slots, strict=True):
                taken.setdefault(row, []).append((offset, offset + len(piece.sequence), piece.line))
        for spans in taken.values():
            spans.sort()
            assert all(left[1] <= right[0] for left, right in pairwise(spans))
            assert spans[-1][1] <= 64
            assert len({line for _, _, line in spans}) == 1
            assert not single or len(spans) == 1


def plan_of(items: int, **changes: object) -> Plan:
    config = TrainConfig(**{"batch_size": 4, "epochs": 3, **changes})  # type: ignore[arg-type]
    each = tuple(Item(0, Kind.ANSWER, (sequence(8 + i),)) for i in range(items))
    return Plan([Job("a", each, (), tuple(range(items)), 1)], config)


def test_a_pass_shows_each_example_as_often_as_its_lesson_says() -> None:
    plan = plan_of(3, epochs=2)
    plan.jobs = (replace(plan.jobs[0], places=Lesson(["a", "b", "c"], times=[1, 4, 2]).places),)  # pyright: ignore
    assert plan.jobs[0].steps(plan.config) == 4
    for epoch in range(2):
        seen = [
            len(item.taught) - 8
            for step in (2 * epoch, 2 * epoch + 1)
            for item in plan.jobs[0].step(step, plan.config)
        ]
        assert sorted(seen) == [0, 1, 1, 1, 1, 2, 2]


@pytest.mark.parametrize("times", [[1], [1, -1, 1], [0, 0, 0]])
def test_times_that_do_not_fit_their_examples_are_refused(times: list[int]) -> None:
    with pytest.raises(TrainingConfigInvalid):
        Lesson(["a", "b", "c"], times=times).places  # noqa: B018  # pyright: ignore


def test_every_epoch_sees_every_example_once_in_another_order() -> None:
    plan = plan_of(10)
    assert plan.steps == 9
    epochs = [
        [
            len(item.taught)
            for step in range(3 * epoch, 3 * epoch + 3)
            for item in plan.jobs[0].step(step, plan.config)
        ]
        for epoch in range(3)
    ]
    assert all(sorted(epoch) == list(range(8, 18)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_a_steps_token_weights_sum_to_one_however_it_is_split() -> None:
    for micro_tokens in (64, 128, 4096):
        plan = plan_of(10, micro_tokens=micro_tokens)
        batches = list(plan.batches(0))
        assert sum(float(np.asarray(batch.weight).sum()) for batch in batches) == pytest.approx(1.0)
        assert len({tuple(array.shape for array in vars(batch).values()) for batch in batches}) == 1


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_the_rate_rises_to_its_largest_and_no_step_is_wasted(schedule: str) -> None:
    config = TrainConfig(schedule=schedule, warmup=0.25, learning_rate=1.0)  # type: ignore[arg-type]
    rates = [config.rate(step, 20) for step in range(20)]
    assert rates[0] > 0
    assert rates[:6] == sorted(rates[:6])
    assert max(rates) == rates[5] == 1.0
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] > 0
    assert config.rate(20, 20) == 0.0


@pytest.mark.parametrize(
    "changes",
    [
        {"rank": 0},
        {"targets": ("lm_head",)},
        {"targets": ()},
        {"warmup": 1.0},
        {"learning_rate": float("nan")},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(TrainingConfigInvalid):
        TrainConfig(**changes)  # type: ignore[arg-type]


@given(
    st.lists(st.lists(st.integers(2, 400), min_size=1, max_size=20), min_size=1, max_size=3),
    st.sampled_from([64, 512, 4096]),
)
def test_rows_are_long_enough_for_every_sequence_and_for_no_pass_too_long(
    lengths: list[list[int]], limit: int
) -> None:
    longest = max(length for own in lengths for length in own)
    length = packed_length(lengths, limit)
    assert length >= longest
    assert length <= max(size_above(longest, 64), min(limit, 512))


def test_short_sequences_share_rows() -> None:
    assert packed_length([[100] * 20], 2048) > 128
    assert packed_length([[64] * 20], 2048) == 64


def planned(**changes: object) -> tuple[Plan, TrainingBank]:
    settings = TrainConfig(rank=4, epochs=2, micro_tokens=4096, **changes)  # type: ignore[arg-type]
    config = small_config(layers=6)
    items = tuple(Item(0, Kind.ANSWER, (sequence(60 + number, 20),)) for number in range(40))
    bank = TrainingBank.of([fresh_adapter(config, settings)], config)
    return Plan([Job("a", items, (), tuple(range(40)), reference=1)], settings), bank


def test_a_run_is_made_to_fit_the_memory_that_it_is_given() -> None:
    plan, bank = planned(batch_size=40)
    whole = run_memory(plan, bank).total
    assert fitted(plan, bank) is plan
    for share in (0.9, 0.6, 0.4):
        least = run_memory(plan, bank).vocabulary
        budget = int(least + share * (whole - least))
        tight, bank = planned(batch_size=40, memory_bytes=budget)
        smaller = fitted(tight, bank)
        assert run_memory(smaller, bank).total <= budget
        assert smaller.config.micro_tokens < 4096
        assert [item.taught for item in smaller.seen()] == [item.taught for item in tight.seen()]
    with pytest.raises(TrainingConfigInvalid, match="beside the weights"):
        fitted(*planned(memory_bytes=1 << 20))
