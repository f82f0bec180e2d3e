"""Clusters keep their identity from pass to pass, and what becomes of them is told."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liminal.learning.clusters.matching import changes_between, cluster_name
from liminal.log.events import ClusterChange

A, B = (uuid5(NAMESPACE_URL, f"cluster {name}") for name in "ab")


def people(*numbers: int) -> frozenset[UUID]:
    return frozenset(uuid5(NAMESPACE_URL, f"piece {number}") for number in numbers)


def name(members: frozenset[UUID]) -> UUID:
    return cluster_name("somebody", members)


def changes(before: Mapping[UUID, frozenset[UUID]], *after: frozenset[UUID]) -> list[ClusterChange]:
    return changes_between(before, after, name=name)


def applied(
    before: Mapping[UUID, frozenset[UUID]], told: Sequence[ClusterChange]
) -> dict[UUID, frozenset[UUID]]:
    """The clusters after the changes, as who reads them has it."""
    found = dict(before)
    for change in told:
        if change.change in ("formed", "assigned"):
            found[change.cluster_id] = found.get(change.cluster_id, frozenset()) - set(change.removed)
            found[change.cluster_id] |= set(change.added)
        elif change.cluster_id not in change.into:
            del found[change.cluster_id]
    return found


def test_what_stays_the_same_is_not_told() -> None:
    assert changes({A: people(1, 2, 3)}, people(3, 2, 1)) == []


def test_a_cluster_that_grows_and_loses_some_keeps_its_identity() -> None:
    (change,) = changes({A: people(1, 2, 3, 4)}, people(2, 3, 4, 5, 6))
    assert (change.cluster_id, change.change) == (A, "assigned")
    assert (set(change.added), set(change.removed)) == (people(5, 6), people(1))


def test_new_pieces_do_not_make_a_cluster_another_one() -> None:
    (change,) = changes({A: people(1, 2, 3)}, people(1, 2, 3, *range(10, 60)))
    assert change.cluster_id == A


def test_a_birth_a_death() -> None:
    born, died = changes({A: people(1, 2, 3)}, people(4, 5, 6))
    assert (born.change, born.cluster_id) == ("formed", name(people(4, 5, 6)))
    assert (died.change, died.cluster_id) == ("died", A)


def test_a_cluster_that_falls_apart_lives_on_in_its_larger_part() -> None:
    told = changes({A: people(1, 2, 3, 4, 5)}, people(1, 2, 3), people(4, 5))
    new = name(people(4, 5))
    assert [(c.cluster_id, c.change) for c in told] == [
        *sorted([(A, "assigned"), (new, "formed")]),
        (A, "split"),
    ]
    assert told[-1].into == [A, new]


def test_a_cluster_that_falls_into_small_parts_ends_in_them() -> None:
    parts = [people(1, 2), people(3, 4), people(5, 6), people(7, 8)]
    told = changes({A: people(*range(1, 9))}, *parts)
    assert [c.change for c in told] == ["formed"] * 4 + ["split"]
    assert set(told[-1].into) == {name(part) for part in parts}


def test_of_two_that_become_one_the_larger_lives_on() -> None:
    told = changes({A: people(1, 2, 3, 4), B: people(5, 6)}, people(1, 2, 3, 4, 5, 6))
    assert [(c.cluster_id, c.change) for c in told] == [(A, "assigned"), (B, "merged")]
    assert told[-1].into == [A]


def test_exchanging_members_does_not_exchange_identities() -> None:
    told = changes({A: people(1, 2, 3, 4), B: people(5, 6, 7, 8)}, people(1, 2, 3, 5), people(4, 6, 7, 8))
    assert applied({A: people(1, 2, 3, 4), B: people(5, 6, 7, 8)}, told) == {
        A: people(1, 2, 3, 5),
        B: people(4, 6, 7, 8),
    }


def test_the_id_of_a_new_cluster_is_its_founders() -> None:
    assert name(people(1, 2)) == name(people(2, 1))
    assert name(people(1, 2)) != name(people(1, 3))
    assert cluster_name("somebody else", people(1, 2)) != name(people(1, 2))


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 6))
def test_following_what_is_told_leads_to_what_was_found_in_whatever_order(
    seed: int, size: int, groups: int
) -> None:
    dice = random.Random(seed)

    def partition() -> list[frozenset[UUID]]:
        found: dict[int, set[int]] = {}
        for number in range(size):
            if dice.random() < 0.8:
                found.setdefault(dice.randrange(groups), set()).add(number)
        return [people(*numbers) for numbers in found.values()]

    before = {name(members): members for members in partition()}
    after = partition()
    told = changes(before, *after)
    assert set(applied(before, told).values()) == set(after)
    dice.shuffle(after)
    assert changes(dict(reversed(before.items())), *after) == told


@pytest.mark.parametrize("count", [0, 3])
def test_where_nothing_is_found_everything_dies(count: int) -> None:
    before = {uuid5(NAMESPACE_URL, f"cluster {number}"): people(number) for number in range(count)}
    assert [change.change for change in changes(before)] == ["died"] * count
