"""Vectors to clusters, and to a map: UMAP with HDBSCAN where there is enough, a simple rule below.

Both are functions of the vectors, their order, the parameters and the seed. UMAP is reproducible with a seed
on one thread only (its documentation, "UMAP Reproducibility"); numba compiles its loops once and keeps them
where NUMBA_CACHE_DIR says. Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]

NOISE = -1
NEIGHBOURS = 15
DIMENSIONS = 10
MIN_DIST = 0.1
ROWS = 1024
"""Rows of the matrix of similarities that are computed at a time."""
DECIMALS = 3
"""Of coordinates on the map, which is drawn and not computed with."""


@dataclass(frozen=True)
class Method:
    """All that decides the result, besides the vectors.

    Attributes:
        algorithm: ``hdbscan``, or ``rule``: average linkage (Sokal and Michener 1958), cut where clusters are
            less alike than ``similarity``.
        similarity: least cosine similarity, on average, within a cluster of the rule.
        join: least to a centroid with which a piece that is left over joins it (see ``settling``).
        min_cluster_size: smallest cluster.
        seed: of UMAP.
    """

    algorithm: Literal["hdbscan", "rule"]
    similarity: float
    join: float
    min_cluster_size: int
    seed: int = 0

    @property
    def parameters(self) -> dict[str, float | int | str]:
        """As they are recorded."""
        common: dict[str, float | int | str] = {
            "similarity": self.similarity,
            "join": self.join,
            "min_cluster_size": self.min_cluster_size,
        }
        if self.algorithm == "rule":
            return common | {"linkage": "average", "metric": "cosine"}
        return common | {"neighbours": NEIGHBOURS, "dimensions": DIMENSIONS, "metric": "cosine"}


@dataclass(frozen=True)
class Clustered:
    """What one pass finds.

    Attributes:
        labels: int64 [N]; NOISE where a vector is in no cluster.
        places: f32 [N, 2]; where it lies on the map.
    """

    labels: Labels
    places: Vectors


def cluster(vectors: Vectors, method: Method) -> Clustered:
    """Cluster and map vectors f32 [N, D] of length 1, N ≥ 2."""
    if method.algorithm == "rule":
        return Clustered(by_rule(vectors, method), by_components(vectors))
    neighbours = nearest(vectors)
    reduced = _umap(vectors, neighbours, method.seed, n_components=DIMENSIONS, min_dist=0.0)
    places = _umap(vectors, neighbours, method.seed, n_components=2, min_dist=MIN_DIST)
    return Clustered(_hdbscan(reduced, method), places)


def by_rule(vectors: Vectors, method: Method) -> Labels:
    """Average linkage on cosine distance; clusters under the smallest size are none."""
    from scipy.cluster.hierarchy import fcluster, linkage

    tree = linkage(vectors.astype(np.float64), method="average", metric="cosine")
    found: Labels = fcluster(tree, 1.0 - method.similarity, criterion="distance").astype(np.int64) - 1
    sizes = np.bincount(found)
    return _renumbered(np.where(sizes[found] >= method.min_cluster_size, found, NOISE))


def by_components(vectors: Vectors) -> Vectors:
    """The two principal components, f32 [N, 2]; the sign is that of each one's largest weight."""
    centred = vectors.astype(np.float64) - vectors.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2]
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:, None]
    places = np.zeros((len(vectors), 2))
    places[:, : len(axes)] = centred @ axes.T
    return np.round(places, DECIMALS).astype(np.float32)


def centroids_of(vectors: Vectors, labels: Labels) -> Vectors:
    """The mean of each cluster's vectors, of length 1: f32 [clusters, D]."""
    count = int(labels.max()) + 1 if len(labels) else 0
    sums = np.zeros((count, vectors.shape[1]), np.float64)
    members = labels != NOISE
    np.add.at(sums, labels[members], vectors[members].astype(np.float64))
    return (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def nearest(vectors: Vectors) -> tuple[NDArray[np.int32], Vectors]:
    """The nearest vectors of each, itself first: indices and cosine distances [N, min(NEIGHBOURS, N)].

    Exact: 10,000 vectors take two seconds, and UMAP's approximate search would compile for longer than that.
    """
    count = min(NEIGHBOURS, len(vectors))
    indices = np.zeros((len(vectors), count), np.int32)
    distances = np.zeros((len(vectors), count), np.float32)
    for start in range(0, len(vectors), ROWS):
        likeness = vectors[start : start + ROWS] @ vectors.T
        own = np.arange(len(likeness))
        likeness[own, start + own] = np.inf
        some = np.argpartition(-likeness, count - 1, axis=1)[:, :count]
        order = np.lexsort((some, -np.take_along_axis(likeness, some, 1)), axis=1)
        found = np.take_along_axis(some, order, 1)
        indices[start : start + ROWS] = found
        away = 1.0 - np.take_along_axis(likeness, found, 1)
        distances[start : start + ROWS] = np.clip(away, 0.0, 2.0)
    return indices, distances


def _umap(vectors: Vectors, knn: tuple[NDArray[np.int32], Vectors], seed: int, **shape: Any) -> Vectors:
    from umap import UMAP

    with warnings.catch_warnings():
        # it says that a seed means one thread, which is what is wanted
        warnings.simplefilter("ignore")
        reducer = UMAP(
            n_neighbors=knn[0].shape[1],
            metric="cosine",
            random_state=seed,
            n_jobs=1,
            precomputed_knn=knn,
            **shape,
        )
        places = np.asarray(reducer.fit_transform(vectors))
    return np.round(places, DECIMALS).astype(np.float32) if shape["n_components"] == 2 else places


def _hdbscan(reduced: Vectors, method: Method) -> Labels:
    from sklearn.cluster import HDBSCAN

    options: dict[str, Any] = {"min_cluster_size": method.min_cluster_size, "n_jobs": 1, "copy": True}
    found = HDBSCAN(**options).fit_predict(reduced)
    return _renumbered(np.asarray(found, np.int64))


def _renumbered(labels: Labels) -> Labels:
    """Clusters numbered in the order in which their first members come."""
    names = {NOISE: NOISE}
    for label in labels.tolist():
        if label not in names:
            names[label] = len(names) - 1
    return np.asarray([names[label] for label in labels.tolist()], np.int64)
