"""Reading artifacts, their versions and the patches to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import orjson
from asyncpg import Record

from liminal.identity.authorize import SYSTEM_TENANT
from liminal.steering.errors import NoSuchPatch
from liminal.storage.postgres import Pool


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    """An artifact as it stands.

    Attributes:
        owner: the tenant whose it is.
        inherited: it is the installation's, seen by a tenant that has none of its own.
    """

    owner: str
    id: str
    kind: str
    name: str
    description: str | None
    version: int
    body: Any
    archived: bool
    created_at: datetime
    updated_at: datetime
    inherited: bool = False

    @property
    def tenant_id(self) -> str:
        """The tenant that may change it."""
        return self.owner

    @property
    def owner_id(self) -> UUID | None:
        """No account owns it."""
        return None


@dataclass(frozen=True, slots=True)
class Versions:
    """One version of an artifact, and how it came to be."""

    version: int
    origin: str
    body: Any
    operations: list[Any] | None
    patch_id: UUID | None
    to_version: int | None
    by: str | None
    actor: str
    reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PatchRow:
    """A patch and what became of it."""

    patch_id: UUID
    owner: str
    artifact_id: str
    base_version: int
    operations: list[Any]
    rationale: str | None
    source: str
    actor: str
    state: str
    decided_by: str | None
    reason: str | None
    decided_at: datetime | None
    applied_version: int | None
    backtest_turns: int | None
    backtest_changed: int | None
    backtest_report: dict[str, Any] | None
    proposed_at: datetime

    @property
    def tenant_id(self) -> str:
        """The tenant that may decide it."""
        return self.owner

    @property
    def owner_id(self) -> UUID | None:
        """No account owns it."""
        return None


async def artifacts(pool: Pool, tenant: str) -> list[ArtifactRow]:
    """A tenant's artifacts, and the installation's where the tenant has none of its own."""
    rows = await pool.fetch(
        """SELECT DISTINCT ON (artifact_id) * FROM read.artifacts
           WHERE owner_id = ANY ($1) AND kind IS NOT NULL AND (owner_id = $2 OR NOT archived)
           ORDER BY artifact_id, owner_id = $2 DESC""",
        [tenant, SYSTEM_TENANT],
        tenant,
    )
    return [_artifact(row, tenant) for row in rows]


async def artifact(pool: Pool, owner: str, artifact_id: str) -> ArtifactRow | None:
    """An artifact of one tenant."""
    row = await pool.fetchrow(
        "SELECT * FROM read.artifacts WHERE owner_id = $1 AND artifact_id = $2 AND kind IS NOT NULL",
        owner,
        artifact_id,
    )
    return None if row is None else _artifact(row, owner)


async def versions(pool: Pool, owner: str, artifact_id: str) -> list[Versions]:
    """Every version, newest first."""
    rows = await pool.fetch(
        "SELECT * FROM read.artifact_versions WHERE owner_id = $1 AND artifact_id = $2 ORDER BY version DESC",
        owner,
        artifact_id,
    )
    return [
        Versions(
            version=row["version"],
            origin=row["origin"],
            body=_json(row["body"]),
            operations=_json(row["operations"]),
            patch_id=row["patch_id"],
            to_version=row["to_version"],
            by=row["by"],
            actor=row["actor"],
            reason=row["reason"],
            created_at=row["created_at"],
        )
        for row in rows
    ]


async def patches(pool: Pool, owner: str, artifact_id: str | None = None) -> list[PatchRow]:
    """The patches of a tenant's artifacts, newest first."""
    rows = await pool.fetch(
        "SELECT * FROM read.patches WHERE owner_id = $1 AND ($2::text IS NULL OR artifact_id = $2) "
        "ORDER BY proposed_at DESC, patch_id DESC",
        owner,
        artifact_id,
    )
    return [_patch(row) for row in rows]


async def patch(pool: Pool, patch_id: UUID) -> PatchRow:
    """One patch. Raises NoSuchPatch."""
    row = await pool.fetchrow("SELECT * FROM read.patches WHERE patch_id = $1", patch_id)
    if row is None:
        raise NoSuchPatch("There is no such patch.", patch_id=str(patch_id))
    return _patch(row)


def _json(value: str | None) -> Any:
    return None if value is None else orjson.loads(value)


def _artifact(row: Record, tenant: str) -> ArtifactRow:
    return ArtifactRow(
        owner=row["owner_id"],
        id=row["artifact_id"],
        kind=row["kind"],
        name=row["name"] or row["artifact_id"],
        description=row["description"],
        version=row["version"],
        body=_json(row["body"]),
        archived=row["archived"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        inherited=row["owner_id"] != tenant,
    )


def _patch(row: Record) -> PatchRow:
    values: dict[str, Any] = {name: row[name] for name in cast(Any, PatchRow).__slots__ if name in row}
    values["owner"] = row["owner_id"]
    values["operations"] = _json(row["operations"]) or []
    values["backtest_report"] = _json(row["backtest_report"])
    return PatchRow(**values)
