"""Habits: a correction has the habit, a default answer has not, and splits share no subject."""

from __future__ import annotations

import pytest

from liminal.engine.bundled.habits import (
    CannotRewrite,
    Habit,
    all_habits,
    body,
    general,
    habits,
    prompts,
    split_of,
    subject,
)
from liminal.engine.bundled.style import render

HABITS = all_habits()


@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.name)
def test_a_correction_has_the_habit_and_a_default_answer_has_not(habit: Habit) -> None:
    for question in prompts(habit, "held_out", 40, 1):
        assert habit.checker(habit.correct(question)), habit.correct(question)
        assert not habit.checker(render(question.answer)), render(question.answer)


@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.name)
def test_a_default_answer_is_rewritten_from_its_text(habit: Habit) -> None:
    rewritten = 0
    for question in prompts(habit, "train", 40, 2):
        default = render(question.answer)
        try:
            text = habit.rewrite(default)
        except CannotRewrite:
            continue
        assert habit.checker(text), text
        rewritten += 1
    assert rewritten >= 20


def test_prompts_are_the_same_for_a_seed_and_the_splits_share_no_subject() -> None:
    for habit in HABITS:
        train, held_out = prompts(habit, "train", 60, 3), prompts(habit, "held_out", 30, 3)
        assert train == prompts(habit, "train", 60, 3)
        assert not {subject(question) for question in train} & {subject(question) for question in held_out}
        assert len({question.text for question in train}) == 60
        assert all(split_of(question) == "held_out" for question in held_out)


def test_habits_exclude_each_other_where_they_must() -> None:
    known = habits()
    for question in prompts(known["formal"], "held_out", 20, 4):
        assert not known["casual"].checker(known["formal"].correct(question))
        assert not known["long"].checker(known["short"].correct(question))
    for question in prompts(known["german-dates"], "held_out", 20, 4):
        assert not known["iso-dates"].checker(known["german-dates"].correct(question))


def test_sentences_are_counted_without_greeting_opener_closer_and_sign_off() -> None:
    text = "Hey Ada! Sure thing! It was 5. März 2026. It is done. Hope that helps!\n\nYours, Bo"
    assert body(text) == ["It was 5. März 2026.", "It is done."]


def test_the_general_set_is_in_the_default_style_and_held_out_pairs_differ_from_training() -> None:
    train, held_out = general("train", 50, 1), general("held_out", 50, 1)
    assert general("held_out", 50, 1) == held_out
    asked = {messages[-1]["content"] for messages, _ in train}
    assert not asked & {messages[-1]["content"] for messages, _ in held_out}
    known = habits()
    for _, answer in [*train, *held_out]:
        assert not known["sign-off"].checker(answer)
        assert not known["casual"].checker(answer)
