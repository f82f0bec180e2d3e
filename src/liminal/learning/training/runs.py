"""A training run: all that decides its result, as ``training.queued`` says it, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import orjson

from liminal.log.envelope import Meta
from liminal.log.events import BlobRef, Event
from liminal.log.ids import derived_id
from liminal.log.log import Log
from liminal.log.position import Position
from liminal.storage.postgres import Pool

ACTOR = "learn"
State = Literal["queued", "running", "retrying", "done", "failed", "cancelled"]
ENDED = frozenset({"done", "failed", "cancelled"})

_STATE = """
    SELECT r.state, r.attempt, r.checkpoint, r.weights, r.content_hash, v.state AS version_state
    FROM read.training_runs r
    LEFT JOIN read.adapter_versions v ON v.adapter_id = r.adapter_id AND v.version = r.adapter_version
    WHERE r.run_id = $1
"""


def run_id_of(adapter_id: UUID, version: int) -> UUID:
    """The run that makes a version. Two planners that plan one version meet on one stream, and one wins."""
    return derived_id(adapter_id, f"version {version}")


@dataclass(frozen=True)
class Run:
    """One run as it was queued."""

    id: UUID
    owner: str
    tenant: str
    adapter_id: UUID
    version: int
    parent_version: int | None
    base_hash: str
    dataset: BlobRef
    hyperparameters: Mapping[str, Any]
    seed: int
    reason: str
    cause: UUID

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Run:
        """The run of a flat ``training.queued``."""
        return cls(
            id=UUID(event["run_id"]),
            owner=event["_owner"],
            tenant=event["_tenant"],
            adapter_id=UUID(event["adapter_id"]),
            version=event["adapter_version"],
            parent_version=event.get("parent_version"),
            base_hash=event["base_hash"],
            dataset=BlobRef.model_validate(event["dataset"]["blob"]),
            hyperparameters=event["hyperparameters"],
            seed=event["seed"],
            reason=event["reason"],
            cause=UUID(event["_id"]),
        )

    def meta(self, name: str, category: Literal["training", "adapter"] = "training") -> Meta:
        """The envelope of an event of this run; ``name`` makes its id, so that it is written once."""
        return Meta(
            owner=self.owner,
            tenant=self.tenant,
            actor=ACTOR,
            stream=f"{category}-{self.id if category == 'training' else self.adapter_id}",
            causation=self.cause,
            correlation=self.id,
            id=derived_id(self.id, name),
        )


@dataclass(frozen=True)
class Standing:
    """How far a run is by the read models.

    Attributes:
        attempt: how often it was begun.
        decided: its version was promoted, rejected or rolled back.
    """

    state: State
    attempt: int
    checkpoint: BlobRef | None
    decided: bool


async def standing(pool: Pool, run_id: UUID) -> Standing | None:
    """How far a run is; None while the read models do not know it."""
    row = await pool.fetchrow(_STATE, run_id)
    if row is None:
        return None
    checkpoint = orjson.loads(row["checkpoint"]) if row["checkpoint"] else None
    return Standing(
        row["state"],
        row["attempt"] or 0,
        BlobRef.model_validate(checkpoint) if checkpoint else None,
        row["version_state"] in ("promoted", "rejected", "rolled_back"),
    )


async def append(
    log: Log,
    run: Run,
    event: Event,
    name: str,
    category: Literal["training", "adapter"] = "training",
    expected: int | None = None,
) -> Position:
    """Append an event of a run. Raises VersionConflict, and what ``Log.append`` raises."""
    return await log.append(event, run.meta(name, category), expected_version=expected)
