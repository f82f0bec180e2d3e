"""What was together stays together unless the evidence says clearly otherwise.

UMAP and HDBSCAN run afresh draw other borders for the same points when some are added (a fifth of CLINC150's
utterances change their cluster when a tenth arrives). So a pass proposes, and a group of pieces moves only if
it fits clearly better where the pass puts it, measured in the encoder's own space: smoothness over time, as
in evolutionary clustering (Chakrabarti, Kumar and Tomkins 2006).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from liminal.learning.clusters.clustering import NOISE, Labels, Vectors, centroids_of

MARGIN = 0.12
"""Mean gain in cosine similarity to the centroid for which a group leaves its cluster."""
TOLERANCE = 0.06
"""Mean loss that is borne when a whole cluster goes into another; less than the margin, so nothing swings."""

Members = frozenset[UUID]


def settle(
    vectors: Vectors,
    ids: Sequence[UUID],
    before: Mapping[UUID, Members],
    found: Labels,
    *,
    similarity: float,
    least: int,
) -> list[Members]:
    """The clusters after a pass, from those before and what the pass proposes.

    vectors: f32 [N, D] of length 1. found: int64 [N], NOISE for none. similarity: least likeness to a
    centroid with which a piece that is left over joins it. least: size of the smallest new cluster.
    """
    order = sorted(before)
    row = {identity: index for index, identity in enumerate(order)}
    at = {one: index for index, one in enumerate(ids)}
    was = np.full(len(ids), NOISE, np.int64)
    for identity in order:
        for member in before[identity]:
            if member in at:
                was[at[member]] = row[identity]
    new = _aligned(was, found, len(order))
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, (old, proposed) in enumerate(zip(was.tolist(), new.tolist(), strict=True)):
        groups[old, proposed].append(index)
    settled = _moved(vectors, was, new, groups)
    return _sets(ids, _adopted(vectors, settled, was, similarity, least))


def _aligned(was: Labels, found: Labels, old: int) -> Labels:
    """The proposed labels under the numbers of the old clusters that they continue; others come after."""
    from scipy.optimize import linear_sum_assignment

    count = int(found.max(initial=NOISE)) + 1
    table: NDArray[np.float64] = np.zeros((old, count))
    both = (was != NOISE) & (found != NOISE)
    np.add.at(table, (was[both], found[both]), 1.0)
    rows, columns = linear_sum_assignment(table, maximize=True)
    names = np.arange(old, old + count + 1)  # the last is for none, which is looked up too
    for one, other in zip(rows.tolist(), columns.tolist(), strict=True):
        if table[one, other] > 0:
            names[other] = one
    return np.where(found == NOISE, NOISE, names[found])


def _moved(
    vectors: Vectors, was: Labels, new: Labels, groups: Mapping[tuple[int, int], Sequence[int]]
) -> Labels:
    """Each group in its old cluster, or where it is proposed, if that fits it better."""
    here, there = centroids_of(vectors, was), centroids_of(vectors, new)
    sizes = np.bincount(was[was != NOISE], minlength=1)
    settled = was.copy()
    for (old, proposed), group in sorted(groups.items()):
        if old == proposed or proposed == NOISE:
            continue
        if old != NOISE:
            points = vectors[group]
            gain = float((points @ there[proposed] - points @ here[old]).mean())
            whole = 2 * len(group) > sizes[old] and not np.any(new[was == old] == old)
            if gain < (-TOLERANCE if whole else MARGIN):
                continue
        settled[group] = proposed
    return settled


def _adopted(vectors: Vectors, settled: Labels, was: Labels, similarity: float, least: int) -> Labels:
    """New clusters that came out too small dissolve; what is left over joins the nearest, if near enough."""
    labels = settled.copy()
    known = set(was.tolist())
    for label, size in zip(*np.unique(labels, return_counts=True), strict=True):
        if label != NOISE and size < least and (label not in known or size < 2):
            labels[labels == label] = NOISE
    left = np.flatnonzero(labels == NOISE)
    if len(left) == len(labels) or not len(left):
        return labels
    likeness = vectors[left] @ centroids_of(vectors, labels).T
    nearest = likeness.argmax(1)
    near = likeness[np.arange(len(left)), nearest] >= similarity
    labels[left[near]] = nearest[near]
    return labels


def _sets(ids: Sequence[UUID], labels: Labels) -> list[Members]:
    return [
        frozenset(ids[index] for index in np.flatnonzero(labels == label).tolist())
        for label in np.unique(labels).tolist()
        if label != NOISE
    ]
