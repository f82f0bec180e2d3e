"""Everything a routing decision is made from, in one query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray

from liminal.identity.authorize import SYSTEM_TENANT
from liminal.learning.adapters.catalogue import SERVING
from liminal.steering.facts import Candidate, Measured, Wish
from liminal.steering.kinds import ROUTING, SHADOW
from liminal.steering.wording import instruction_of, sentence
from liminal.storage.postgres import Pool

WISHES = 64
"""Wishes of each source that are read, the newest."""

# $1 account, $2 its tenant, $3 the message to answer, $4 whether clusters without an adapter matter too,
# $5 hash of the base model that is loaded, null for any
_INPUTS = f"""
    WITH serving AS ({SERVING} AND ($5::text IS NULL OR v.base_hash = $5)), candidates AS (
        SELECT s.adapter_id, s.name, s.kind, a.scope, s.version, s.content_hash, a.skill_id,
               k.label, k.cluster_id
        FROM serving s JOIN read.adapters a USING (adapter_id) LEFT JOIN read.skills k USING (skill_id)
        WHERE a.skill_id IS NULL OR (k.active AND k.state = 'approved')
        ORDER BY s.name, s.adapter_id
    ), policies AS (
        SELECT DISTINCT ON (artifact_id) artifact_id, owner_id, version, body FROM read.artifacts
        WHERE artifact_id = ANY (ARRAY['{ROUTING}', '{SHADOW}']) AND NOT archived AND body IS NOT NULL
          AND owner_id = ANY (ARRAY[$2, '{SYSTEM_TENANT}'])
        ORDER BY artifact_id, owner_id = '{SYSTEM_TENANT}'
    ), centres AS (
        SELECT c.cluster_id, c.label, c.centroid FROM read.centroids c
        WHERE c.cluster_id IN (
            SELECT cluster_id FROM candidates
            UNION
            SELECT o.cluster_id FROM read.centroids o
            WHERE $4 AND o.owner_id = ANY (ARRAY[$1, $2])
              AND ((o.scope = 'user' AND o.subject = $1) OR (o.scope = 'tenant' AND o.subject = $2)))
        ORDER BY c.cluster_id
    ), rules AS (
        SELECT feedback_id, kind, text, created_at FROM read.feedback
        WHERE owner_id = $1::uuid AND kind IN ('always', 'never') AND NOT withdrawn AND text IS NOT NULL
        ORDER BY created_at DESC, feedback_id DESC LIMIT {WISHES}
    ), preferences AS (
        SELECT preference_id, statement, polarity, created_at FROM read.preferences
        WHERE owner_id = $1::uuid AND active AND answer IN ('confirmed', 'corrected')
          AND statement IS NOT NULL
        ORDER BY created_at DESC, preference_id DESC LIMIT {WISHES}
    )
    SELECT
        (SELECT json_agg(p) FROM policies p) AS policies,
        (SELECT json_agg(c) FROM candidates c) AS candidates,
        (SELECT json_agg(c) FROM centres c) AS centres,
        (SELECT json_agg(r ORDER BY r.created_at, r.feedback_id) FROM rules r) AS rules,
        (SELECT json_agg(p ORDER BY p.created_at, p.preference_id) FROM preferences p) AS preferences,
        (SELECT settings FROM read.settings WHERE scope = 'account' AND subject = $1) AS settings,
        (SELECT content FROM read.messages WHERE message_id = $3 AND owner_id = $1::uuid) AS question
"""


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A policy as the read model has it."""

    owner: str
    id: str
    version: int
    body: Any


@dataclass(frozen=True, slots=True)
class Centres:
    """Centroids of clusters, and what they are called.

    Attributes:
        ids: every id that means the centroid: the cluster's, and the skills' that rest on it.
        labels: every label likewise, the cluster's own first.
        vectors: f32 [N, D].
    """

    ids: tuple[tuple[str, ...], ...]
    labels: tuple[tuple[str, ...], ...]
    vectors: NDArray[np.float32]

    def measure(self, embedding: NDArray[np.float32], *, whole: bool) -> Measured:
        """Cosines of an embedding f32 [D] to every centroid."""
        lengths = np.linalg.norm(self.vectors, axis=1) * np.linalg.norm(embedding)
        cosines = (self.vectors @ embedding) / np.maximum(lengths, 1e-12)
        similarities: dict[str, float] = {}
        labels: dict[str, list[str]] = {}
        for index, cosine in enumerate(cosines):
            for id_ in self.ids[index]:
                similarities[id_] = round(float(cosine), 4)
            for label in self.labels[index]:
                labels.setdefault(label, []).append(self.ids[index][0])
        nearest = int(cosines.argmax())
        return Measured(
            similarities=similarities, labels=labels, cluster=(*self.labels[nearest], "")[0], whole=whole
        )


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was read; ``question`` is None while its message is not folded."""

    policies: Mapping[str, StoredPolicy]
    candidates: tuple[Candidate, ...]
    wishes: tuple[Wish, ...]
    settings: dict[str, Any]
    centres: Centres | None
    question: str | None


async def read_inputs(
    pool: Pool, owner: str, tenant: str, message_id: UUID, *, clusters: bool, base: str | None = None
) -> Inputs:
    """What is known about an account and the policies in force for it.

    ``base`` is the hash of the loaded base model: adapters of another one are no candidates.
    """
    row = await pool.fetchrow(_INPUTS, owner, tenant, message_id, clusters, base)
    assert row is not None
    read = {name: orjson.loads(row[name]) if row[name] else [] for name in _JSON}
    settings: dict[str, Any] = orjson.loads(row["settings"]) if row["settings"] else {}
    return Inputs(
        policies={
            found["artifact_id"]: StoredPolicy(
                found["owner_id"], found["artifact_id"], found["version"], found["body"]
            )
            for found in read["policies"]
        },
        candidates=tuple(
            Candidate.model_validate({**found, "label": found["label"] or ""}) for found in read["candidates"]
        ),
        wishes=_wishes(read["rules"], read["preferences"], settings),
        settings=settings,
        centres=_centres(read["centres"], read["candidates"]),
        question=row["question"],
    )


_JSON = ("policies", "candidates", "centres", "rules", "preferences")


def _wishes(
    rules: list[dict[str, Any]], preferences: list[dict[str, Any]], settings: Mapping[str, Any]
) -> tuple[Wish, ...]:
    wishes = [
        Wish(
            source="rules",
            origin=f"feedback:{row['feedback_id']}",
            text=instruction_of(row["kind"], row["text"]),
        )
        for row in rules
    ]
    wishes += [
        Wish(
            source="preferences",
            origin=f"preference:{row['preference_id']}",
            text=sentence(row["statement"]),
        )
        for row in preferences
    ]
    own = settings.get("custom_instructions")
    if isinstance(own, str) and own.strip():
        wishes.append(
            Wish(source="custom_instructions", origin="setting:custom_instructions", text=own.strip())
        )
    return tuple(wishes)


def _centres(centres: list[dict[str, Any]], candidates: list[dict[str, Any]]) -> Centres | None:
    if not centres:
        return None
    skills = [found for found in candidates if found["cluster_id"]]
    ids: list[tuple[str, ...]] = []
    labels: list[tuple[str, ...]] = []
    for centre in centres:
        resting = [found for found in skills if found["cluster_id"] == centre["cluster_id"]]
        ids.append((centre["cluster_id"], *(found["skill_id"] for found in resting)))
        names = [centre["label"], *(found["label"] for found in resting)]
        labels.append(tuple(dict.fromkeys(name for name in names if name)))
    vectors = np.array([centre["centroid"] for centre in centres], np.float32)
    return Centres(tuple(ids), tuple(labels), vectors)
