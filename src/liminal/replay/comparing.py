"""``liminal replay what-if``: the comparison of a policy with the past, and how it is printed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table

from liminal.engine.embedder import Embedder, default_encoder
from liminal.identity.authorize import SYSTEM_TENANT
from liminal.replay.what_if import Range, Side, WhatIf, shadowed, what_if
from liminal.settings import load_settings
from liminal.steering.catalogue import artifact, versions
from liminal.steering.cli import read_body
from liminal.steering.errors import NoSuchArtifact
from liminal.steering.kinds import parse_body
from liminal.steering.program import compile_policy
from liminal.steering.routing_policy import RoutingPolicy
from liminal.storage.postgres import Pool, connect_pool

PRINTED = 20


def compare(
    policy: str, since: datetime | None, until: datetime | None, owner: UUID | None, limit: int | None
) -> WhatIf:
    """Past turns by another policy: a file, ``artifact@version``, or ``shadow`` for what was recorded.

    Raises NoSuchArtifact, ArtifactInvalid.
    """
    settings = load_settings()
    turns = Range(since, until, owner, limit=limit)
    file = Path(policy)
    written = read_body(file) if file.is_file() else None

    async def run() -> WhatIf:
        pool = await connect_pool(settings, max_size=2)
        try:
            if policy == "shadow":
                return await shadowed(pool, turns)
            body = await _stored(pool, policy) if written is None else written
            program = compile_policy(parse_body(RoutingPolicy, body, policy))
            embedder = Embedder(lambda: default_encoder(settings.cache / "compiled"))
            return await what_if(pool, embedder, program, turns)
        finally:
            await pool.close()

    return asyncio.run(run())


async def _stored(pool: Pool, policy: str) -> Any:
    artifact_id, _, version = policy.partition("@")
    row = await artifact(pool, SYSTEM_TENANT, artifact_id)
    if row is None:
        raise NoSuchArtifact(f"{policy} is neither a file nor an artifact.")
    if not version:
        return row.body
    for found in await versions(pool, SYSTEM_TENANT, artifact_id):
        if str(found.version) == version:
            return found.body
    raise NoSuchArtifact(f"There is no version {version} of {artifact_id}.")


def print_comparison(found: WhatIf) -> None:
    """A summary, and the newest turns that differ."""
    console = Console()
    skipped = f"; {found.skipped:,} can't be compared" if found.skipped else ""
    console.print(f"{found.changed:,} of {found.turns:,} turns would have gone otherwise{skipped}.")
    if found.measured_anew:
        console.print(f"{found.measured_anew:,} were measured against skills as they are now.")
    for title, counts in (("rule", found.by_rule), ("what", found.by_kind)):
        if counts:
            console.print(_counts(title, counts))
    if not found.shown:
        return
    table = Table("turn", "routed", "policy", "was", "would be")
    for turn in found.shown[:PRINTED]:
        when = f"{turn.routed_at:%Y-%m-%d %H:%M}"
        table.add_row(str(turn.turn_id), when, turn.policy, _side(turn.before), _side(turn.after))
    console.print(table)
    if found.changed > PRINTED:
        console.print(f"and {found.changed - PRINTED:,} more; --json has {len(found.shown):,} of them.")


def _counts(title: str, counts: Mapping[str, int]) -> Table:
    table = Table(title, "turns")
    for name, count in sorted(counts.items(), key=lambda item: -item[1]):
        table.add_row(name, f"{count:,}")
    return table


def _side(side: Side) -> str:
    parts = [f"{name} {gate:g}" for name, gate in side.adapters.items()] or ["base alone"]
    parts += [f"on {side.backend}"] if side.backend else []
    parts += [f"+ {count} instructions"] if (count := len(side.instructions)) else []
    return ", ".join([*parts, *(f"from {context}" for context in side.contexts)])
