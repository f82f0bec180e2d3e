"""Which cluster of a new pass is which of the one before: identities survive, and the fate of each is told.

An old and a new cluster are compared by the members that were in any cluster before. The pairs are the
assignment of the greatest total overlap (Kuhn 1955, the Hungarian method, as scipy has it) among pairs that
share enough. The result depends on members alone, not on any order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from uuid import NAMESPACE_OID, UUID

import numpy as np
from numpy.typing import NDArray

from liminal.log.events import ClusterChange
from liminal.log.ids import derived_id

LEAST_OVERLAP = 0.3
"""Jaccard index from which a cluster is the same one."""
MAJORITY = 0.5
"""Share of a cluster's members that must come from, or go to, one other to call it split or merged."""

Members = frozenset[UUID]


def cluster_name(subject: str, members: Members) -> UUID:
    """The id of a new cluster: its founding members decide it, so the same pass gives the same id."""
    digest = hashlib.sha256(b"".join(member.bytes for member in sorted(members))).hexdigest()
    return derived_id(NAMESPACE_OID, f"cluster {subject} {digest}")


def changes_between(
    before: Mapping[UUID, Members], after: Sequence[Members], *, name: Callable[[Members], UUID]
) -> list[ClusterChange]:
    """What leads from the clusters before to those after, as events in the order to be told.

    ``name`` gives a new cluster its id.
    """
    alive = _identified(before, after, name)
    told: list[ClusterChange] = []
    for identity, members in sorted(alive.items()):
        if identity not in before:
            told.append(ClusterChange(cluster_id=identity, change="formed", added=sorted(members)))
        elif members != before[identity]:
            added, removed = sorted(members - before[identity]), sorted(before[identity] - members)
            told.append(ClusterChange(cluster_id=identity, change="assigned", added=added, removed=removed))
    return told + [fate for identity in sorted(before) if (fate := _fate(identity, before, alive))]


def _identified(
    before: Mapping[UUID, Members], after: Sequence[Members], name: Callable[[Members], UUID]
) -> dict[UUID, Members]:
    """The new clusters under their old identities, where they have one, else under new ones."""
    from scipy.optimize import linear_sum_assignment

    old, new = sorted(before), sorted(after, key=sorted)
    known = frozenset[UUID]().union(*before.values())
    likeness: NDArray[np.float64] = np.zeros((len(old), len(new)))
    for column, members in enumerate(new):
        seen = members & known
        for row, identity in enumerate(old):
            if both := len(before[identity] & seen):
                likeness[row, column] = both / len(before[identity] | seen)
    likeness[likeness < LEAST_OVERLAP] = 0.0
    rows, columns = linear_sum_assignment(likeness, maximize=True)
    identities = {
        column: old[row]
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if likeness[row, column] > 0
    }
    return {identities.get(column) or name(members): members for column, members in enumerate(new)}


def _fate(
    identity: UUID, before: Mapping[UUID, Members], alive: Mapping[UUID, Members]
) -> ClusterChange | None:
    """What became of an old cluster: split, merged or died; None where it lives on whole."""
    members, known = before[identity], frozenset[UUID]().union(*before.values())
    parts = [
        part
        for part, found in sorted(alive.items())
        if part not in before and len(found & members) > MAJORITY * len(found & known)
    ]
    if identity in alive:
        return ClusterChange(cluster_id=identity, change="split", into=[identity, *parts]) if parts else None
    if len(parts) > 1:
        return ClusterChange(cluster_id=identity, change="split", into=parts)
    heirs = sorted(alive, key=lambda heir: (-len(alive[heir] & members), heir))
    if heirs and members and len(alive[heirs[0]] & members) >= MAJORITY * len(members):
        return ClusterChange(cluster_id=identity, change="merged", into=[heirs[0]])
    return ClusterChange(cluster_id=identity, change="died")
