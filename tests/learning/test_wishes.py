"""The table of wishes reads what its examples say, and what the bundled model's people say."""

from __future__ import annotations

import tomllib

import pytest
from tests.learning.evidence import CONVERSIONS, COOKING

from liminal.bench.clusters import read_utterances
from liminal.engine.bundled.tables import table
from liminal.learning.evidence.wishes import Rule, Wish, parse_table, sentences, wish_table

TABLE = wish_table()
EXAMPLES = [(rule, text) for rule in TABLE.rules for text in rule.examples]
COUNTEREXAMPLES = [(rule, text) for rule in TABLE.rules for text in rule.counterexamples]
AXES = ("length", "layout", "tone", "units", "dates")
SAID = [
    (axis, value, text)
    for axis in AXES
    for value, row in table("styles")[axis].items()
    for text in (*row["follow_ups"], *(f"Always {clause}." for clause in row["clauses"]))
]


def about(rule: Rule, wishes: list[Wish]) -> list[Wish]:
    return [w for w in wishes if w.dimension == rule.dimension and rule.value in (None, w.value)]


@pytest.mark.parametrize(("rule", "text"), EXAMPLES, ids=[f"{r.name}: {t}" for r, t in EXAMPLES])
def test_an_example_is_read_as_its_rule_says_and_as_nothing_else(rule: Rule, text: str) -> None:
    wishes = TABLE.read(text, follow_up=True)
    assert about(rule, wishes)
    assert {wish.dimension for wish in wishes} == {rule.dimension}


@pytest.mark.parametrize(
    ("rule", "text"), COUNTEREXAMPLES, ids=[f"{r.name}: {t}" for r, t in COUNTEREXAMPLES]
)
def test_a_counterexample_is_not_read(rule: Rule, text: str) -> None:
    assert about(rule, TABLE.read(text, follow_up=True)) == []


def test_every_rule_has_both_kinds_of_examples_and_a_name_of_its_own() -> None:
    assert all(rule.examples and rule.counterexamples for rule in TABLE.rules)
    assert len({rule.name for rule in TABLE.rules}) == len(TABLE.rules)


@pytest.mark.parametrize(("axis", "value", "text"), SAID, ids=[text for _, _, text in SAID])
def test_what_people_say_to_the_bundled_model_is_understood(axis: str, value: str, text: str) -> None:
    read = {(wish.dimension, wish.value.casefold()) for wish in TABLE.read(text, follow_up=True)}
    assert read == {(axis, value)}


def test_words_that_need_an_answer_before_them_are_no_wish_at_the_start_unless_they_hold_from_now_on() -> (
    None
):
    assert TABLE.read("Shorter, please", follow_up=False) == []
    (wish,) = TABLE.read("From now on, be concise.", follow_up=False)
    assert (wish.value, wish.confidence) == ("short", 0.95)


def test_a_wish_that_is_refused_is_not_read_as_wished() -> None:
    for text in ("Never use imperial units", "Don't answer in German", "please do not use metric units"):
        assert TABLE.read(text, follow_up=True) == [], text


def test_of_an_edited_message_only_what_was_added_counts() -> None:
    before = "How far is the moon? In metric, please."
    (wish,) = TABLE.read(
        "How far is the moon? In metric, please. Keep it short.", follow_up=True, before=before
    )
    assert wish.dimension == "length"


def test_questions_of_all_kinds_tell_no_wish_but_to_be_called_or_answered_otherwise() -> None:
    texts, _ = read_utterances(50, 150)
    read = [wish for text in (*texts, *CONVERSIONS, *COOKING) for wish in TABLE.read(text, follow_up=True)]
    assert {wish.dimension for wish in read} == {"language", "address"}
    assert len(read) < 30, "of 7,500"


def test_values_keep_their_letters_and_one_wish_in_two_forms_has_one_name() -> None:
    (first,) = TABLE.read("Always sign with Ada L.", follow_up=False)
    (second,) = TABLE.read('sign off with "ada l"', follow_up=True)
    assert first.value == "Ada L"
    assert first.statement == "End with “Ada L”."
    assert first.name == second.name


def test_of_a_long_pasted_text_only_its_ends_are_looked_at() -> None:
    pasted = "Translate this.\n" + "Use bullet points.\n" * 100 + "In German, please."
    assert sentences(pasted) == ["Translate this", "In German, please"]
    assert {wish.dimension for wish in TABLE.read(pasted, follow_up=True)} == {"language"}


def test_a_detection_names_the_tables_version() -> None:
    data = tomllib.loads(
        """
        name = "mine"
        version = 7
        act = []
        standing = { pattern = "always", confidence = 0.9 }
        [[rule]]
        name = "loud"
        dimension = "tone"
        value = "loud"
        statement = "Shout."
        confidence = 0.5
        patterns = ["louder"]
        examples = ["louder"]
        counterexamples = ["quiet"]
        """
    )
    (wish,) = parse_table(data).read("LOUDER!", follow_up=False)
    assert wish.rule == "loud@mine.7"
