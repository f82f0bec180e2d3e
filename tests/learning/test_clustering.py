"""Vectors to clusters: the rule, the map, and that the same input gives the same bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from liminal.learning.clusters.clustering import NOISE, Method, by_components, by_rule, centroids_of, nearest
from liminal.learning.clusters.passes import due_in, method_for
from liminal.learning.clusters.pieces import Standing
from liminal.steering.learning_policy import Clustering

RULE = Method("rule", 0.5, 0.4, 3)
POLICY = Clustering()
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def bunches(*sizes: int, dimension: int = 16, spread: float = 0.1) -> np.ndarray:
    """Vectors of length 1 around as many directions at right angles."""
    dice = np.random.default_rng(0)
    rows = [np.eye(dimension)[i] + spread * dice.normal(size=(n, dimension)) for i, n in enumerate(sizes)]
    found = np.concatenate(rows)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def test_the_rule_finds_what_lies_together_and_leaves_out_what_is_alone() -> None:
    labels = by_rule(bunches(5, 4, 1, 2), RULE)
    assert labels.tolist() == [0] * 5 + [1] * 4 + [NOISE] * 3


def test_clusters_are_numbered_by_their_first_members() -> None:
    vectors = bunches(4, 4)
    assert by_rule(vectors[::-1].copy(), RULE).tolist() == [0] * 4 + [1] * 4


def test_a_centroid_is_the_middle_of_its_members_alone() -> None:
    vectors = bunches(3, 3)
    labels = np.array([0, 0, NOISE, 1, 1, 1])
    middle = vectors[:2].sum(0) / np.linalg.norm(vectors[:2].sum(0))
    np.testing.assert_allclose(centroids_of(vectors, labels)[0], middle, atol=1e-6)


def test_the_map_of_few_keeps_apart_what_is_apart() -> None:
    places = by_components(bunches(5, 5))
    assert places.dtype == np.float32
    gap = np.linalg.norm(places[:5].mean(0) - places[5:].mean(0))
    assert gap > 5 * np.linalg.norm(places[:5] - places[:5].mean(0), axis=1).mean()
    assert by_components(bunches(2)).shape == (2, 2)


def test_the_nearest_are_exact_and_oneself_comes_first() -> None:
    vectors = bunches(20, 20)
    indices, distances = nearest(vectors)
    assert indices[:, 0].tolist() == list(range(40))
    away = 1 - vectors @ vectors.T
    np.fill_diagonal(away, -1)
    np.testing.assert_allclose(distances[:, 1:], np.sort(away, 1)[:, 1:15], atol=1e-5)


@pytest.mark.parametrize(
    ("fresh", "every", "last", "expected"),
    [
        (0, 50, 10.0, None),
        (10, 50, 10.0, 0.0),
        (9, 50, 10.0, 290.0),
        (1, 50, 400.0, 0.0),
        (10, 1000, 10.0, 290.0),
        (50, 1000, 10.0, 0.0),
        (1, 1, None, None),
        (2, 2, None, 295.0),
    ],
)
def test_a_pass_is_due_by_count_and_by_time(
    fresh: int, every: int, last: float | None, expected: float | None
) -> None:
    before = None if last is None else NOW - timedelta(seconds=last)
    standing = Standing(int(last is not None), 0, before, {}, fresh, NOW - timedelta(seconds=5), every)
    assert due_in(standing, POLICY, NOW) == expected


def test_no_pass_is_due_while_one_is_not_finished() -> None:
    assert due_in(Standing(3, 1, NOW, {}, 1000, NOW, 1000), POLICY, NOW) is None


def test_the_method_follows_the_policy() -> None:
    assert method_for(POLICY.hdbscan_points, POLICY).algorithm == "hdbscan"
    assert method_for(POLICY.hdbscan_points - 1, POLICY).algorithm == "rule"
