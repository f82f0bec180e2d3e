"""Artifacts as they are in force: a tenant's own where it has one, else the installation's.

The built-in defaults are put on the log as version 1, once, by whoever needs them first: the log accepts
version 1 of a stream once, so a version number means the same everywhere, and what was decided can name the
version that decided it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic
from uuid import UUID

import orjson

from liminal.identity.authorize import SYSTEM_TENANT
from liminal.log.envelope import Meta
from liminal.log.errors import VersionConflict
from liminal.log.events import ArtifactCreated
from liminal.log.ids import derived_id
from liminal.log.log import Log
from liminal.steering.errors import NoSuchArtifact
from liminal.steering.kinds import DEFAULTS, LEARNING, Model, parse_body
from liminal.steering.learning_policy import LearningPolicy

PROJECTION = "artifacts"
ACTOR = "system"
_BUILT_IN = UUID("5d1f0d3e-58a4-5c52-9c39-6a0f4a0c9b11")

_IN_FORCE = """
    SELECT owner_id, version, body FROM read.artifacts
    WHERE artifact_id = $1 AND owner_id = ANY($2) AND NOT archived AND body IS NOT NULL
    ORDER BY owner_id = $3 LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class InForce(Generic[Model]):
    """The version of an artifact that steers now.

    Attributes:
        owner: the tenant whose artifact it is.
        id, version: what everything decided by it records.
        body: the artifact itself.
    """

    owner: str
    id: str
    version: int
    body: Model


async def current_learning_policy(log: Log, tenant: str = SYSTEM_TENANT) -> InForce[LearningPolicy]:
    """The thresholds of learning in force for a tenant. Raises ArtifactInvalid."""
    return await in_force(log, LEARNING, LearningPolicy, tenant)


async def in_force(log: Log, artifact_id: str, model: type[Model], tenant: str) -> InForce[Model]:
    """The version that steers a tenant. Raises NoSuchArtifact, ArtifactInvalid."""
    for _ in range(2):
        row = await log.pool.fetchrow(_IN_FORCE, artifact_id, [tenant, SYSTEM_TENANT], SYSTEM_TENANT)
        if row is not None:
            what = f"version {row['version']} of {artifact_id}"
            body = parse_body(model, orjson.loads(row["body"]), what)
            return InForce(row["owner_id"], artifact_id, row["version"], body)
        await ensure_default(log, artifact_id)
    raise NoSuchArtifact(f"The artifact {artifact_id} is archived.", artifact_id=artifact_id)


async def ensure_defaults(log: Log) -> None:
    """Put every built-in artifact on the log that is not there."""
    for artifact_id in DEFAULTS:
        await ensure_default(log, artifact_id)


async def ensure_default(log: Log, artifact_id: str) -> None:
    """Put one built-in artifact on the log, unless it is there. Raises NoSuchArtifact, Stale."""
    default = DEFAULTS.get(artifact_id)
    if default is None:
        raise NoSuchArtifact(f"There is no artifact {artifact_id}.", artifact_id=artifact_id)
    known = await log.pool.fetchval(
        "SELECT true FROM read.artifacts WHERE owner_id = $1 AND artifact_id = $2", SYSTEM_TENANT, artifact_id
    )
    if known:
        return
    event = ArtifactCreated(
        artifact_id=default.id,
        artifact_version=1,
        kind=default.kind,
        name=default.name,
        description=default.description,
        body=default.body,
    )
    meta = Meta(
        owner=SYSTEM_TENANT,
        tenant=SYSTEM_TENANT,
        actor=ACTOR,
        stream=f"artifact-{artifact_id}",
        id=derived_id(_BUILT_IN, artifact_id),
    )
    try:
        position = await log.append(event, meta, expected_version=0)
    except VersionConflict:
        return  # somebody else needed it first
    await log.wait_for(position, PROJECTION)
