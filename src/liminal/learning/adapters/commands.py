"""What people decide about adapters and runs: promote, reject, roll back, switch, call off, pause."""

from __future__ import annotations

from typing import Literal

from liminal.learning.adapters.library import AdapterRow, RunRow
from liminal.learning.errors import GateNotPassed, RunEnded, VersionState
from liminal.log.envelope import Meta
from liminal.log.errors import VersionConflict
from liminal.log.events import (
    AdapterSwitched,
    AdapterVersionPromoted,
    AdapterVersionRejected,
    AdapterVersionRolledBack,
    Event,
    TrainingCancelled,
)
from liminal.log.log import Log
from liminal.logging import current_correlation

Who = Literal["user", "admin"]
OPEN = frozenset({"queued", "running", "retrying"})


async def promote(log: Log, adapter: AdapterRow, version: int, actor: str, by: Who) -> None:
    """Let a version serve. Raises NoSuchVersion, GateNotPassed (invariant I7), VersionState."""
    row = adapter.version(version)
    if row.serving:
        raise VersionState(f"Version {version} serves already.")
    if not row.passed:
        raise GateNotPassed(f"Version {version} did not pass its gate, so it cannot serve.")
    event = AdapterVersionPromoted(
        adapter_id=adapter.id, adapter_version=version, previous=adapter.serving_version, by=by
    )
    await _append(log, adapter, event, actor)


async def reject(log: Log, adapter: AdapterRow, version: int, actor: str, by: Who) -> None:
    """Turn a version down that does not serve. Raises NoSuchVersion, VersionState."""
    row = adapter.version(version)
    if row.serving:
        raise VersionState(f"Version {version} serves; roll it back instead.")
    if row.state == "rejected":
        raise VersionState(f"Version {version} is rejected already.")
    event = AdapterVersionRejected(
        adapter_id=adapter.id, adapter_version=version, by=by, reasons=["turned_down"]
    )
    await _append(log, adapter, event, actor)


async def roll_back(
    log: Log, adapter: AdapterRow, actor: str, by: Who, *, to: int | None = None, reason: str | None = None
) -> int | None:
    """Let an earlier version serve again; returns which, None for the base model alone.

    Without ``to`` it is the newest version before the serving one that was promoted once and is not marked.
    Raises VersionState where none serves, NoSuchVersion, GateNotPassed.
    """
    if adapter.serving_version is None:
        raise VersionState(f"No version of {adapter.name} serves.")
    if to is not None:
        row = adapter.version(to)
        if row.serving:
            raise VersionState(f"Version {to} serves already.")
        if not row.passed:
            raise GateNotPassed(f"Version {to} did not pass its gate, so it cannot serve.")
    else:
        to = predecessor(adapter, adapter.serving_version)
    event = AdapterVersionRolledBack(
        adapter_id=adapter.id,
        adapter_version=adapter.serving_version,
        to_version=to,
        by=by,
        reason=reason,
    )
    await _append(log, adapter, event, actor)
    return to


def predecessor(adapter: AdapterRow, version: int) -> int | None:
    """The newest version before one that served, passed, and rests on nothing that was taken back."""
    return next(
        (
            row.version
            for row in adapter.versions
            if row.version < version and row.passed and row.state == "promoted" and not row.tainted
        ),
        None,
    )


async def switch(log: Log, adapter: AdapterRow, actor: str, active: bool, by: Who) -> None:
    """Put an adapter off, or on again."""
    if adapter.active != active:
        await _append(log, adapter, AdapterSwitched(adapter_id=adapter.id, active=active, by=by), actor)


async def cancel(log: Log, run: RunRow, actor: str, by: Who) -> None:
    """Call a run off. Raises RunEnded where its end was written first."""
    if run.state not in OPEN:
        raise RunEnded(f"The run ended: {run.state}.", state=run.state)
    meta = Meta(
        owner=run.subject,
        tenant=run.tenant_id,
        actor=actor,
        stream=f"training-{run.id}",
        correlation=current_correlation() or run.id,
    )
    try:
        position = await log.append(TrainingCancelled(run_id=run.id, by=by), meta, expected_version=1)
    except VersionConflict as conflict:
        raise RunEnded("The run ended a moment ago.") from conflict
    await log.wait_for(position)


async def _append(log: Log, adapter: AdapterRow, event: Event, actor: str) -> None:
    meta = Meta(
        owner=adapter.subject,
        tenant=adapter.tenant_id,
        actor=actor,
        stream=f"adapter-{adapter.id}",
        correlation=current_correlation(),
    )
    await log.wait_for(await log.append(event, meta))
