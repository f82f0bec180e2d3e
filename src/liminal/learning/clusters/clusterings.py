"""Passes over the evidence of accounts and tenants: asked for, and listed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import orjson
from asyncpg import Record

from liminal.log.envelope import Meta
from liminal.log.events import ClusteringRequested
from liminal.log.log import Log
from liminal.log.position import Position
from liminal.logging import current_correlation
from liminal.storage.pages import Page, decode_cursor, encode_cursor

Scope = Literal["user", "tenant"]

_RUNS = """
    SELECT * FROM read.clustering_runs
    WHERE ($1::text IS NULL OR owner_id = $1)
      AND ($2::timestamptz IS NULL OR (decided_at, run_id) < ($2, $3::uuid))
    ORDER BY decided_at DESC, run_id DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One pass: ``formed``, ``changed`` and ``ended`` count clusters."""

    id: UUID
    scope: Scope
    subject: str
    algorithm: Literal["hdbscan", "rule"]
    parameters: dict[str, float | int | str]
    seed: int
    positions: dict[str, int]
    points: int
    clusters: int
    formed: int
    changed: int
    ended: int
    decided_at: datetime
    completed_at: datetime | None


class Clusterings:
    """The passes of all; who may see and ask is decided before this is asked."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def request(
        self, scope: Scope, subject: str, tenant: str, *, actor: str, by: Literal["user", "admin", "system"]
    ) -> Position:
        """Ask for a pass now, whatever the counts say."""
        meta = Meta(
            owner=subject,
            tenant=tenant,
            actor=actor,
            stream=f"clustering-{subject}",
            correlation=current_correlation(),
        )
        return await self._log.append(ClusteringRequested(scope=scope, subject=subject, by=by), meta)

    async def runs(self, subject: str | None, *, cursor: str | None, limit: int) -> Page[RunRow]:
        """The passes of an account or tenant, or of all, newest first. Raises BadCursor."""
        after = decode_cursor(cursor, datetime.fromisoformat, UUID) if cursor else [None, None]
        rows = await self._log.pool.fetch(_RUNS, subject, *after, limit + 1)
        page = [_run(row) for row in rows[:limit]]
        return Page(page, encode_cursor(page[-1].decided_at, page[-1].id) if len(rows) > limit else None)


def _run(row: Record) -> RunRow:
    changes = [change["change"] for change in orjson.loads(row["changes"])]
    return RunRow(
        id=row["run_id"],
        scope=row["scope"],
        subject=row["subject"],
        algorithm=row["algorithm"],
        parameters=orjson.loads(row["parameters"]),
        seed=row["seed"],
        positions=orjson.loads(row["positions"]),
        points=row["points"],
        clusters=row["clusters"],
        formed=changes.count("formed"),
        changed=changes.count("assigned"),
        ended=changes.count("merged") + changes.count("died"),
        decided_at=row["decided_at"],
        completed_at=row["completed_at"],
    )
