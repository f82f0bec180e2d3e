"""Which adapters an account may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from liminal.storage.postgres import Pool

# passed: nothing serves without its gate, whatever was promoted (I7); scope and subject: nobody else's (I9)
SERVING = """
    SELECT a.adapter_id, a.name, a.kind, a.serving_since, v.version, v.content_hash, v.weights_hash
    FROM read.adapters a
    JOIN read.adapter_versions v ON v.adapter_id = a.adapter_id AND v.version = a.serving_version
    WHERE a.active AND NOT a.retired AND v.passed
      AND ((a.scope = 'user' AND a.subject = $1) OR (a.scope = 'tenant' AND a.subject = $2))
"""
"""Parameters: the account, its tenant."""


@dataclass(frozen=True, slots=True)
class ServingAdapter:
    """An adapter that may be asked for by its name."""

    adapter_id: UUID
    name: str
    kind: str
    version: int
    since: datetime


async def serving_adapters(pool: Pool, owner: str, tenant: str, base: str) -> list[ServingAdapter]:
    """Every adapter of the base model of that name that serves an account, by name."""
    rows = await pool.fetch(SERVING + " AND v.base_model = $3 ORDER BY a.name", owner, tenant, base)
    return [
        ServingAdapter(row["adapter_id"], row["name"], row["kind"], row["version"], row["serving_since"])
        for row in rows
    ]
