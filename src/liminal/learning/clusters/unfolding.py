"""What follows from a decided pass: the events of its clusters, their labels and its map.

Every event's id is derived from the pass, so writing them again changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from liminal.learning.clusters.embeddings import Embeddings
from liminal.learning.clusters.labels import label_of, typical_words
from liminal.learning.clusters.passes import Pass, points_of
from liminal.learning.clusters.pieces import Piece, Snapshot
from liminal.log.envelope import Meta
from liminal.log.events import (
    ClusterAssigned,
    ClusterChange,
    ClusterDied,
    ClusterFormed,
    ClusteringCompleted,
    ClusteringMapped,
    ClusterLabelled,
    ClusterMerged,
    ClusterSplit,
    Event,
)
from liminal.log.ids import derived_id
from liminal.log.log import Log
from liminal.steering.learning_policy import LearningPolicy

ACTOR = "gather"
MAP_POINTS = 5_000
"""Points of one event of the map."""
RUN_FIELDS = (
    "scope", "subject", "run_id", "positions", "algorithm", "parameters", "seed", "points", "clusters"
)  # fmt: skip

_WORDS = "SELECT cluster_id, words FROM read.clusters WHERE owner_id = $1 AND ended IS NULL"


class Unfolder:
    """Writes what follows from one pass."""

    def __init__(
        self, log: Log, embeddings: Embeddings, event: Mapping[str, Any], policy: LearningPolicy
    ) -> None:
        """``event`` is ``clustering.decided`` in flat form."""
        self._log = log
        self._embeddings = embeddings
        self._event = event
        self._run_id = UUID(str(event["run_id"]))
        self._changes = [ClusterChange.model_validate(change) for change in event["changes"]]
        self._least_people = policy.skill.least_people if event["scope"] == "tenant" else 1

    async def write(self, snapshot: Snapshot, made: Pass) -> None:
        """Append all of it, and last that it is complete."""
        members = self._members(snapshot)
        pieces = {piece.id: piece for piece in snapshot.pieces}
        clusters = {
            identity: [pieces[one] for one in sorted(ids) if one in pieces]
            for identity, ids in members.items()
        }
        events = await self._changed(clusters)
        events += await self._labels(clusters)
        events += self._map(made)
        run = {name: self._event[name] for name in RUN_FIELDS}
        events.append((f"clustering-{self._event['subject']}", "completed", ClusteringCompleted(**run)))
        await self._log.append_many([(event, self._meta(stream, name)) for stream, name, event in events])

    def _members(self, snapshot: Snapshot) -> dict[UUID, set[UUID]]:
        """Who is in which living cluster after the pass; some of it may be on the log already."""
        members = {identity: set(found) for identity, found in snapshot.clusters.items()}
        for change in self._changes:
            match change.change:
                case "formed" | "assigned":
                    found = members.setdefault(change.cluster_id, set())
                    found |= set(change.added)
                    found -= set(change.removed)
                case "split" if change.cluster_id in change.into:
                    pass
                case _:
                    members.pop(change.cluster_id, None)
        return members

    async def _changed(self, clusters: Mapping[UUID, Sequence[Piece]]) -> list[tuple[str, str, Event]]:
        moved = [change.cluster_id for change in self._changes if change.change in ("formed", "assigned")]
        centroids = await self._centroids({identity: clusters[identity] for identity in moved})
        return [
            (
                f"cluster-{change.cluster_id}",
                f"{change.change} {change.cluster_id}",
                self._event_of(change, centroids.get(change.cluster_id)),
            )
            for change in self._changes
        ]

    def _event_of(self, change: ClusterChange, centroid: list[float] | None) -> Event:
        ids: dict[str, Any] = {"cluster_id": change.cluster_id, "run_id": self._run_id}
        whose = {"scope": self._event["scope"], "subject": self._event["subject"]}
        match change.change:
            case "formed":
                return ClusterFormed(**ids, **whose, members=change.added, centroid=centroid)
            case "assigned":
                return ClusterAssigned(**ids, added=change.added, removed=change.removed, centroid=centroid)
            case "split":
                return ClusterSplit(**ids, into=change.into)
            case "merged":
                return ClusterMerged(**ids, into=change.into[0])
            case "died":
                return ClusterDied(**ids)

    async def _centroids(self, clusters: Mapping[UUID, Sequence[Piece]]) -> dict[UUID, list[float]]:
        whole = {identity: pieces for identity, pieces in clusters.items() if pieces}
        if not whole:
            return {}
        points = await points_of([piece for pieces in whole.values() for piece in pieces], self._embeddings)
        found: dict[UUID, list[float]] = {}
        start = 0
        for identity, pieces in whole.items():
            found[identity] = _middle(points[start : start + len(pieces)])
            start += len(pieces)
        return found

    async def _labels(self, clusters: Mapping[UUID, Sequence[Piece]]) -> list[tuple[str, str, Event]]:
        """The most typical words of each cluster, where they are others than before."""
        rows = await self._log.pool.fetch(_WORDS, self._event["subject"])
        known = {row["cluster_id"]: list(row["words"]) for row in rows}
        found = typical_words(clusters, least_people=self._least_people)
        return [
            (
                f"cluster-{identity}",
                f"label {identity}",
                ClusterLabelled(cluster_id=identity, label=label_of(words), source="words", words=words),
            )
            for identity, words in sorted(found.items())
            if known.get(identity) != words or not words
        ]

    def _map(self, made: Pass) -> list[tuple[str, str, Event]]:
        subject = self._event["subject"]
        return [
            (
                f"clustering-{subject}",
                f"map {start}",
                ClusteringMapped(
                    scope=self._event["scope"],
                    subject=subject,
                    run_id=self._run_id,
                    members=list(made.ids[start : start + MAP_POINTS]),
                    x=_numbers(made.places[start : start + MAP_POINTS, 0]),
                    y=_numbers(made.places[start : start + MAP_POINTS, 1]),
                ),
            )
            for start in range(0, len(made.ids), MAP_POINTS)
        ]

    def _meta(self, stream: str, name: str) -> Meta:
        return Meta(
            owner=self._event["_owner"],
            tenant=self._event["_tenant"],
            actor=ACTOR,
            stream=stream,
            causation=UUID(self._event["_id"]),
            correlation=self._run_id,
            id=derived_id(self._run_id, name),
        )


def _middle(points: NDArray[np.float32]) -> list[float]:
    total = points.astype(np.float64).sum(0)
    return [round(number, 5) for number in (total / max(np.linalg.norm(total), 1e-12)).tolist()]


def _numbers(column: NDArray[np.float32]) -> list[float]:
    return [round(number, 3) for number in column.astype(np.float64).tolist()]
