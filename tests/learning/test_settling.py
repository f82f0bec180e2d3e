"""A pass against the one before: what was together stays together, however odd the evidence is."""

from __future__ import annotations

import random
from uuid import UUID

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from liminal.learning.clusters.clustering import NOISE, Method
from liminal.learning.clusters.settling import settle
from liminal.learning.clusters.workshop import find

RULE = Method("rule", 0.2, 0.4, 3)
OLD = UUID(int=1000)


def ids(*numbers: int) -> frozenset[UUID]:
    return frozenset(UUID(int=number + 1) for number in numbers)


def around(*angles: float) -> np.ndarray:
    """Unit vectors in the plane."""
    turns = np.radians(angles)
    return np.stack([np.cos(turns), np.sin(turns)], 1).astype(np.float32)


def settled(vectors: np.ndarray, before: dict[UUID, frozenset[UUID]], *found: int) -> list[frozenset[UUID]]:
    every = [UUID(int=number + 1) for number in range(len(vectors))]
    return settle(vectors, every, before, np.array(found), similarity=0.9, least=2)


def test_a_border_that_is_drawn_otherwise_moves_nobody() -> None:
    vectors = around(0, 5, 10, 15, 20, 25)
    assert settled(vectors, {OLD: ids(*range(6))}, 0, 0, 0, 1, 1, 1) == [ids(*range(6))]


def test_what_lies_clearly_apart_leaves() -> None:
    vectors = around(0, 3, 6, 80, 83)
    found = settled(vectors, {OLD: ids(*range(5))}, 0, 0, 0, 1, 1)
    assert sorted(map(len, found)) == [2, 3]


def test_two_that_lie_in_one_place_become_one() -> None:
    vectors = around(0, 2, 4, 1, 3)
    before = {OLD: ids(0, 1, 2), UUID(int=1001): ids(3, 4)}
    assert settled(vectors, before, 0, 0, 0, 0, 0) == [ids(*range(5))]


def test_what_is_left_over_joins_the_nearest_if_it_is_near() -> None:
    vectors = around(0, 2, 4, 6, 90)
    assert settled(vectors, {}, 0, 0, 0, NOISE, NOISE) == [ids(0, 1, 2, 3)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_following_what_a_pass_tells_leads_to_disjoint_clusters_of_what_there_is(seed: int) -> None:
    dice, rng = random.Random(seed), np.random.default_rng(seed)
    size = dice.randint(2, 14)
    base = rng.normal(size=(3, 24))
    spread = dice.choice([0.0, 0.05, 0.5, 2.0])
    vectors = base[rng.integers(0, 3, size)] + spread * rng.normal(size=(size, 24))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    there = [UUID(int=number + 1) for number in range(size)]
    pool = [*there, *(UUID(int=100 + number) for number in range(4))]
    dice.shuffle(pool)
    before: dict[UUID, frozenset[UUID]] = {}
    for number in range(dice.randrange(4)):
        count = dice.randrange(5)
        before[UUID(int=1000 + number)], pool = frozenset(pool[:count]), pool[count:]
    found = find(vectors, there, before, RULE, "somebody")
    after = {identity: set(members) for identity, members in before.items()}
    for change in found.changes:
        if change.change in ("formed", "assigned"):
            members = after.setdefault(change.cluster_id, set())
            members -= set(change.removed)
            members |= set(change.added)
        elif change.cluster_id not in change.into:
            del after[change.cluster_id]
    everybody = [member for members in after.values() for member in members]
    assert len(everybody) == len(set(everybody))
    assert set(everybody) <= set(there)
    assert len(after) == found.clusters
    assert found.places.shape == (size, 2)
    assert np.isfinite(found.places).all()
