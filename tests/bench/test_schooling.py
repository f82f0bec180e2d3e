"""Habits of the school: what tells them, and that a correction has what it was made for."""

from __future__ import annotations

import pytest

from liminal.bench.schooling.habits import HABITS, Habit, habits
from liminal.bench.schooling.questions import questions
from liminal.bench.schooling.text import sentences, tidy, with_german_dates, with_imperial_units

ANSWER = (
    "The tower is 300 meters (984 feet) tall, and it's made of iron. It was opened on March 31, 1889. "
    "Mr. Eiffel built it. It was opened on March 31, 1889. It is visited by"
)


@pytest.mark.parametrize("habit", HABITS, ids=[habit.name for habit in HABITS])
def test_an_answer_lacks_the_habit_until_it_is_corrected(habit: Habit) -> None:
    assert habit.applies(ANSWER)
    assert not habit.has(ANSWER)
    assert habit.has(habit.correct(ANSWER))


def test_what_is_held_out_is_never_taught() -> None:
    for topic in ("general", "measures", "dates"):
        taught, held_out = set(questions(topic, "taught")), set(questions(topic, "held out"))
        assert len(held_out) >= 24
        assert not taught & held_out


def test_a_reader_keeps_no_sentence_twice_and_none_that_was_cut_off() -> None:
    assert sentences(tidy(ANSWER)) == [
        "The tower is 300 meters (984 feet) tall, and it's made of iron.",
        "It was opened on March 31, 1889.",
        "Mr. Eiffel built it.",
    ]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("It is 5 km long.", "It is 3.1 miles long."),
        ("It is 300 feet (91 meters) tall.", "It is 300 feet tall."),
        ("It is 300 meters (984 feet) tall.", "It is 984 feet tall."),
        ("Water boils at 100°C.", "Water boils at 212°F."),
        ("They weigh 40 to 60 kilograms.", "They weigh 88 to 132 pounds."),
    ],
)
def test_quantities_become_imperial(said: str, wanted: str) -> None:
    assert with_imperial_units(said) == wanted


def test_dates_become_german_in_either_order() -> None:
    assert with_german_dates("July 4, 1776 or 14th of July 1789") == "04.07.1776 or 14.07.1789"


def test_a_list_is_bullets_and_prose_is_not() -> None:
    bullets = habits()["bullets"]
    assert bullets.has("Here they are:\n- one.\n- two.")
    assert not bullets.has("- one.\nAnd then two.")
