"""One pass: when it is due, by which method, and what it finds in a snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from liminal.learning.clusters.clustering import Method
from liminal.log.events import ClusterChange, ClusteringDecided

if TYPE_CHECKING:
    from liminal.learning.clusters.embeddings import Embeddings
    from liminal.learning.clusters.pieces import Piece, Snapshot, Standing
    from liminal.learning.clusters.workshop import Workshop
    from liminal.steering.learning_policy import Clustering

Vectors = NDArray[np.float32]

SEED = 20261123
GROWTH = 0.05
"""Share of all pieces that has to be new, besides the policy's count: passes get rarer as evidence grows."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What a pass finds.

    Attributes:
        ids: of the pieces, in order.
        places: f32 [N, 2], where they lie on the map.
        changes: what becomes of the clusters.
        clusters: how many there are.
    """

    ids: Sequence[UUID]
    places: Vectors
    changes: Sequence[ClusterChange]
    clusters: int


def due_in(standing: Standing, policy: Clustering, now: datetime) -> float | None:
    """Seconds until the next pass; 0 when it is due, None when nothing is new or one is not finished."""
    if standing.open or not standing.fresh or (standing.every < policy.least_points and not standing.runs):
        return None
    if standing.fresh >= max(policy.every_pieces, GROWTH * standing.every):
        return 0.0
    since = standing.last or standing.since
    assert since is not None
    return max(0.0, policy.every_seconds - (now - since).total_seconds())


def method_for(pieces: int, policy: Clustering) -> Method:
    """UMAP and HDBSCAN for enough pieces, else the rule."""
    if pieces >= policy.hdbscan_points:
        return Method(
            "hdbscan", policy.rule_similarity, policy.join_similarity, policy.min_cluster_size, SEED
        )
    return Method("rule", policy.rule_similarity, policy.join_similarity, policy.rule_cluster_size, SEED)


def method_of(event: Mapping[str, Any]) -> Method:
    """The method of a recorded pass."""
    parameters = event["parameters"]
    return Method(
        event["algorithm"],
        parameters["similarity"],
        parameters["join"],
        parameters["min_cluster_size"],
        event["seed"],
    )


async def points_of(pieces: Sequence[Piece], embeddings: Embeddings) -> Vectors:
    """Each piece as one vector of length 1, f32 [N, D].

    It is the mean of its texts' embeddings: of the question alone for thumbs and corrections (a corrected
    answer is about what the question is about), of question and words for remarks, whose words are the wish,
    of the statement for a preference.
    """
    texts = [(piece.owner, text) for piece in pieces for text in piece.texts]
    vectors = await embeddings.of(texts)
    starts = np.cumsum([0, *(len(piece.texts) for piece in pieces)])
    sums = np.stack([vectors[a:b].sum(0) for a, b in pairwise(starts.tolist())])
    return (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)).astype(np.float32)


async def run_pass(snapshot: Snapshot, method: Method, embeddings: Embeddings, workshop: Workshop) -> Pass:
    """The same snapshot and method give the same result."""
    ids = [piece.id for piece in snapshot.pieces]
    if len(ids) < 2:  # nothing to compare: what there was is over
        died = [ClusterChange(cluster_id=one, change="died") for one in sorted(snapshot.clusters)]
        return Pass(ids, np.zeros((len(ids), 2), np.float32), died, 0)
    vectors = await points_of(snapshot.pieces, embeddings)
    found = await workshop.find(vectors, ids, snapshot.clusters, method, snapshot.subject)
    return Pass(ids, found.places, found.changes, found.clusters)


def decided_event(snapshot: Snapshot, run_id: UUID, method: Method, made: Pass) -> ClusteringDecided:
    """A pass as it is recorded."""
    return ClusteringDecided(
        scope=snapshot.scope,
        subject=snapshot.subject,
        run_id=run_id,
        positions={str(partition): offset for partition, offset in snapshot.positions.items()},
        algorithm=method.algorithm,
        parameters=method.parameters,
        seed=method.seed,
        points=len(made.ids),
        clusters=made.clusters,
        changes=list(made.changes),
    )
