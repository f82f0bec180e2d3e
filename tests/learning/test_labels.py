"""What clusters are called: words that tell them apart, and what a model says only if it stands the check."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest
from tests.learning.evidence import CONVERSIONS, COOKING, an_id

from liminal.learning.clusters.labels import checked_label, content_words, label_of, typical_words
from liminal.learning.clusters.pieces import Piece

A, B = an_id("cluster a"), an_id("cluster b")


def pieces(texts: Sequence[str], *people: str) -> list[Piece]:
    owners: list[UUID] = [an_id(name) for name in (people or ("ada",))]
    return [
        Piece(an_id(text, number), owners[number % len(owners)], "thumb", 1, text, None)
        for number, text in enumerate(texts)
    ]


def test_words_tell_clusters_apart() -> None:
    found = typical_words({A: pieces(CONVERSIONS), B: pieces(COOKING)})
    assert found[A][:2] == ["convert", "kilometres"]
    assert not set(found[A]) & set(found[B])
    assert not {"how", "the", "what", "many"} & {*found[A], *found[B]}


def test_only_words_of_enough_people_are_shown() -> None:
    texts = ["convert miles for my boss Waldemar", "convert miles", "convert miles", "convert pounds"]
    found = typical_words({A: pieces(texts, "ada", "bob", "cyd", "dan")}, least_people=3)
    assert found[A] == ["convert", "miles"]
    assert label_of(typical_words({A: pieces(texts[:1])}, least_people=2)[A]) == "Unnamed"


WORDS = content_words("Convert miles to kilometres. How many kilograms are two pounds?")


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("Unit conversion", "Unit conversion"),
        ("  “Converting units”. ", "Converting units"),
        ("Miles and pounds\n", "Miles and pounds"),
    ],
)
def test_a_label_that_shares_a_word_with_its_cluster_passes(said: str, label: str) -> None:
    assert checked_label(said, WORDS) == label


@pytest.mark.parametrize(
    "said",
    [
        "", "   ", "\n\n", "x", "Cooking", "Convert\nmiles", "convert " * 9, "Conversion " + "of units " * 9,
        "The messages are all about things that are to be converted into other units of measure",
    ],
)  # fmt: skip
def test_what_is_no_label_does_not(said: str) -> None:
    assert checked_label(said, WORDS) is None


def test_a_label_for_others_may_use_no_other_word_than_those_that_several_people_wrote() -> None:
    assert checked_label("Converting miles", WORDS, only=["convert", "mile"]) == "Converting miles"
    assert checked_label("Converting for Waldemar", [*WORDS, "waldemar"], only=["convert", "mile"]) is None
