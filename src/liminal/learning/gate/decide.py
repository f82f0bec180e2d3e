"""What follows from a gate's report: the version serves, or it does not, and why."""

from __future__ import annotations

from typing import Any

import structlog

from liminal.learning.gate.judge import Report
from liminal.learning.training.runs import Run, append
from liminal.log.events import (
    AdapterVersionEvaluated,
    AdapterVersionPromoted,
    AdapterVersionRejected,
    AdapterVersionRolledBack,
    BlobRef,
)
from liminal.log.log import Log

log = structlog.get_logger(__name__)

_SERVING = "SELECT serving_version FROM read.adapters WHERE adapter_id = $1"
_DECIDED = "SELECT state FROM read.adapter_versions WHERE adapter_id = $1 AND version = $2"


async def decide(log_: Log, run: Run, report: Report, blob: BlobRef) -> None:
    """Append what the gate measured, and promotion or rejection. All that is written is written once."""
    ids: dict[str, Any] = {"adapter_id": run.adapter_id, "adapter_version": run.version}
    evaluated = AdapterVersionEvaluated(
        **ids,
        passed=report.passed,
        figures=report.figures,
        baseline_version=run.parent_version,
        examples=report.held_out,
        regressions=report.regressions,
        report=blob,
        seed=run.seed,
    )
    position = await append(log_, run, evaluated, "evaluated", "adapter")
    await log_.wait_for(position)
    if await log_.pool.fetchval(_DECIDED, run.adapter_id, run.version) not in ("trained", "evaluated"):
        return  # a person was quicker
    serving = await log_.pool.fetchval(_SERVING, run.adapter_id)
    if report.passed:
        promoted = AdapterVersionPromoted(**ids, previous=serving, by="rule")
        await append(log_, run, promoted, "decided", "adapter")
    else:
        rejected = AdapterVersionRejected(**ids, by="rule", reasons=report.reasons, figures=report.figures)
        position = await append(log_, run, rejected, "decided", "adapter")
        if run.reason == "withdrawal" and serving is not None:
            await _take_back(log_, run, serving)
    log.info(
        "learn.promoted" if report.passed else "learn.rejected",
        adapter=str(run.adapter_id),
        version=run.version,
        reasons=report.reasons,
    )


async def _take_back(log_: Log, run: Run, serving: int) -> None:
    """What serves rests on feedback that was taken back, and nothing passed in its place."""
    rolled_back = AdapterVersionRolledBack(
        adapter_id=run.adapter_id,
        adapter_version=serving,
        to_version=None,
        by="rule",
        reason="The feedback it rests on was taken back, and no version without it passed the gate.",
    )
    await append(log_, run, rolled_back, "taken back", "adapter")
