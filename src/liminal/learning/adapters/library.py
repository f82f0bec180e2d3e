"""Adapters, their versions and runs as people see them: queries over the read models."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from asyncpg import Record

from liminal.learning.errors import NoSuchRun, NoSuchVersion
from liminal.storage.postgres import Pool

_ADAPTER = """
    SELECT a.adapter_id, a.tenant_id, a.name, a.kind, a.scope, a.subject, a.skill_id, a.base_model,
           a.serving_version, a.serving_since, a.active, a.retired, a.created_at
    FROM read.adapters a WHERE a.name IS NOT NULL
"""
_VERSION = """
    SELECT v.adapter_id, v.version, v.state, v.serving, v.tainted, v.passed, v.figures, v.examples,
           v.regressions, v.reasons, v.reason, v.decided_by, v.decided_at, v.trained_at, v.base_model,
           v.rank, v.alpha, v.parent_version, v.baseline_version, v.run_id, v.content_hash,
           v.report, cardinality(v.feedback_ids) AS feedback
    FROM read.adapter_versions v
"""
_RUN = """
    SELECT r.run_id, r.tenant_id, r.owner_id, r.adapter_id, a.name AS adapter, r.adapter_version, r.scope,
           r.subject, r.base_model, r.method, r.reason, r.state, r.attempt, r.worker, r.dataset, r.step,
           r.steps, r.metrics, r.seconds, r.error_code, r.error_message, r.ended_by, r.queued_at,
           r.started_at, r.ended_at, r.changed_at, v.state AS version_state
    FROM read.training_runs r
    LEFT JOIN read.adapters a ON a.adapter_id = r.adapter_id
    LEFT JOIN read.adapter_versions v ON v.adapter_id = r.adapter_id AND v.version = r.adapter_version
"""


@dataclass(frozen=True)
class VersionRow:
    """One version with its gate's figures."""

    version: int
    state: str
    serving: bool
    tainted: bool
    passed: bool | None
    figures: list[dict[str, Any]]
    examples: int | None
    regressions: int | None
    reasons: list[str]
    reason: str | None
    decided_by: str | None
    decided_at: datetime | None
    trained_at: datetime
    base_model: str | None
    rank: int | None
    parent_version: int | None
    run_id: UUID | None
    content_hash: str
    feedback: int
    report_hash: str | None


@dataclass(frozen=True)
class AdapterRow:
    """An adapter with every version, the newest first."""

    id: UUID
    tenant_id: str
    name: str
    kind: str
    scope: str
    subject: str
    skill_id: UUID | None
    base_model: str | None
    serving_version: int | None
    serving_since: datetime | None
    active: bool
    retired: bool
    created_at: datetime
    versions: list[VersionRow] = field(default_factory=list[VersionRow])

    @property
    def owner_id(self) -> UUID | None:
        """The account whose answers alone it changes; None for a tenant's."""
        return UUID(self.subject) if self.scope == "user" else None

    def version(self, number: int) -> VersionRow:
        """One of its versions. Raises NoSuchVersion."""
        for row in self.versions:
            if row.version == number:
                return row
        raise NoSuchVersion(f"{self.name} has no version {number}.")


@dataclass(frozen=True)
class RunRow:
    """A training run as it stands."""

    id: UUID
    tenant_id: str
    adapter_id: UUID
    adapter: str | None
    version: int
    scope: str
    subject: str
    base_model: str
    method: str
    reason: str
    state: str
    decision: str | None
    attempt: int
    examples: int
    held_out: int
    methods: dict[str, int]
    refused: dict[str, int]
    step: int | None
    steps: int | None
    metrics: dict[str, float]
    seconds: float | None
    error_code: str | None
    error_message: str | None
    ended_by: str | None
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def owner_id(self) -> UUID | None:
        """The account it learns from; None for a tenant's."""
        return UUID(self.subject) if self.scope == "user" else None


async def adapters_of_account(pool: Pool, account: UUID, tenant: str) -> list[AdapterRow]:
    """The adapters that may change an account's answers: its own, and its tenant's."""
    rows = await pool.fetch(
        _ADAPTER
        + " AND (a.scope = 'user' AND a.subject = $1 OR a.scope = 'tenant' AND a.subject = $2)"
        + " ORDER BY a.kind, a.name",
        str(account),
        tenant,
    )
    return await _with_versions(pool, rows)


async def adapters_of_tenant(pool: Pool, tenant: str) -> list[AdapterRow]:
    """Every adapter of a tenant and its accounts."""
    rows = await pool.fetch(_ADAPTER + " AND a.tenant_id = $1 ORDER BY a.kind, a.name", tenant)
    return await _with_versions(pool, rows)


async def adapter(pool: Pool, adapter_id: UUID) -> AdapterRow:
    """One adapter. Raises NoSuchVersion."""
    rows = await pool.fetch(_ADAPTER + " AND a.adapter_id = $1", adapter_id)
    if not rows:
        raise NoSuchVersion("There is no such adapter.")
    return (await _with_versions(pool, rows))[0]


async def find(pool: Pool, named: str) -> AdapterRow:
    """The adapter of an id, or of a name that one adapter alone has. Raises NoSuchVersion."""
    ids = [
        row["adapter_id"]
        for row in await pool.fetch(
            "SELECT adapter_id FROM read.adapters WHERE adapter_id::text = $1 OR name = $1 LIMIT 2", named
        )
    ]
    if len(ids) != 1:
        said = "There are several adapters" if ids else "There is no adapter"
        raise NoSuchVersion(f"{said} named {named!r}; `liminal adapters list --json` has the ids.")
    return await adapter(pool, ids[0])


async def runs_of_tenant(pool: Pool, tenant: str, state: str | None, limit: int) -> list[RunRow]:
    """The runs of a tenant and its accounts, those that are open first, then the newest."""
    rows = await pool.fetch(
        _RUN
        + " WHERE r.tenant_id = $1 AND ($2::text IS NULL OR r.state = $2)"
        + " ORDER BY r.state IN ('done', 'failed', 'cancelled'), r.queued_at DESC LIMIT $3",
        tenant,
        state,
        limit,
    )
    return [_run(row) for row in rows]


async def runs_of_account(pool: Pool, account: UUID, limit: int) -> list[RunRow]:
    """An account's own runs, the newest first."""
    rows = await pool.fetch(
        _RUN + " WHERE r.owner_id = $1 ORDER BY r.queued_at DESC LIMIT $2", str(account), limit
    )
    return [_run(row) for row in rows]


async def run(pool: Pool, run_id: UUID) -> RunRow:
    """One run. Raises NoSuchRun."""
    row = await pool.fetchrow(_RUN + " WHERE r.run_id = $1", run_id)
    if row is None:
        raise NoSuchRun("There is no such training run.")
    return _run(row)


def parsed(value: str | None) -> Any:
    """A column of JSON as plain data; None where there is none."""
    return None if value is None else orjson.loads(value)


async def _with_versions(pool: Pool, rows: list[Record]) -> list[AdapterRow]:
    ids = [row["adapter_id"] for row in rows]
    versions = await pool.fetch(_VERSION + " WHERE v.adapter_id = ANY($1) ORDER BY v.version DESC", ids)
    by_adapter: dict[UUID, list[VersionRow]] = {}
    for row in versions:
        by_adapter.setdefault(row["adapter_id"], []).append(_version(row))
    return [
        AdapterRow(
            id=row["adapter_id"],
            versions=by_adapter.get(row["adapter_id"], []),
            **{name: row[name] for name in AdapterRow.__dataclass_fields__ if name not in ("id", "versions")},
        )
        for row in rows
    ]


def _version(row: Record) -> VersionRow:
    report = parsed(row["report"])
    same = set(VersionRow.__dataclass_fields__) - {"figures", "reasons", "feedback", "report_hash"}
    return VersionRow(
        figures=parsed(row["figures"]) or [],
        reasons=list(row["reasons"] or ()),
        feedback=row["feedback"] or 0,
        report_hash=report["hash"] if report else None,
        **{name: row[name] for name in same},
    )


def _run(row: Record) -> RunRow:
    data = orjson.loads(row["dataset"])
    plain = (
        *(
            "tenant_id",
            "adapter_id",
            "adapter",
            "scope",
            "subject",
            "base_model",
            "method",
            "reason",
            "state",
        ),
        *("step", "steps", "seconds", "error_code", "error_message", "ended_by"),
        *("queued_at", "started_at", "ended_at"),
    )
    return RunRow(
        id=row["run_id"],
        version=row["adapter_version"],
        decision=row["version_state"],
        attempt=row["attempt"] or 0,
        examples=data["examples"],
        held_out=data["held_out"],
        methods=data.get("methods") or {},
        refused=data.get("refused") or {},
        metrics=parsed(row["metrics"]) or {},
        **{name: row[name] for name in plain},
    )
