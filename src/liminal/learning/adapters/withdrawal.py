"""Feedback that was taken back: the versions it shaped are marked, and stop serving once there is another."""

from __future__ import annotations

from uuid import UUID

from liminal.learning.evidence.taught import gone_among
from liminal.learning.training.runs import ACTOR
from liminal.log.envelope import Meta
from liminal.log.errors import VersionConflict
from liminal.log.events import (
    AdapterVersionRolledBack,
    AdapterVersionTainted,
    Event,
    TrainingCancelled,
)
from liminal.log.ids import derived_id
from liminal.log.log import Log
from liminal.log.position import Position

_VERSIONS = """
    SELECT v.version, v.serving, v.state, v.feedback_ids, v.tainted,
           ARRAY(SELECT f.feedback_id FROM read.adapter_feedback f
                 WHERE f.adapter_id = v.adapter_id AND f.version = v.version AND f.withdrawn) AS marked
    FROM read.adapter_versions v WHERE v.adapter_id = $1 ORDER BY v.version
"""


async def taint(log: Log, adapter_id: UUID, owner: str, tenant: str, cause: UUID) -> bool:
    """Mark every version that rests on feedback that is gone. True when the serving version is marked."""
    rows = await log.pool.fetch(_VERSIONS, adapter_id)
    gone = await gone_among(log.pool, {item for row in rows for item in row["feedback_ids"]})
    serving, positions = False, list[Position]()
    for row in rows:
        lost = sorted(gone & set(row["feedback_ids"]))
        serving = serving or (row["serving"] and bool(lost))
        if lost and set(lost) - set(row["marked"]):
            event = AdapterVersionTainted(
                adapter_id=adapter_id, adapter_version=row["version"], feedback_ids=lost
            )
            name = f"tainted {row['version']}"
            positions.append(await _append(log, event, f"adapter-{adapter_id}", owner, tenant, cause, name))
    if positions:
        await log.wait_for(max(positions))
    return serving


async def roll_back(log: Log, adapter_id: UUID, owner: str, tenant: str, cause: UUID) -> None:
    """Let the base model answer: too little is left to learn from."""
    version = await log.pool.fetchval(
        "SELECT serving_version FROM read.adapters WHERE adapter_id = $1", adapter_id
    )
    if version is None:
        return
    event = AdapterVersionRolledBack(
        adapter_id=adapter_id,
        adapter_version=version,
        to_version=None,
        by="rule",
        reason="The feedback it rests on was taken back.",
    )
    name = f"rolled back {version}"
    await log.wait_for(await _append(log, event, f"adapter-{adapter_id}", owner, tenant, cause, name))


async def cancel_run(log: Log, run_id: UUID, owner: str, tenant: str, cause: UUID) -> None:
    """Call a run off that learns from what was taken back, unless it has ended."""
    event = TrainingCancelled(run_id=run_id, by="rule", reason="Feedback of its data was taken back.")
    try:
        position = await _append(log, event, f"training-{run_id}", owner, tenant, cause, "cancelled", 1)
    except VersionConflict:
        return
    await log.wait_for(position)


async def _append(
    log: Log,
    event: Event,
    stream: str,
    owner: str,
    tenant: str,
    cause: UUID,
    name: str,
    expected: int | None = None,
) -> Position:
    meta = Meta(
        owner=owner,
        tenant=tenant,
        actor=ACTOR,
        stream=stream,
        causation=cause,
        id=derived_id(cause, f"{stream} {name}"),
    )
    return await log.append(event, meta, expected_version=expected)
