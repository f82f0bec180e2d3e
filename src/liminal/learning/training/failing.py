"""Runs that break off: another attempt, or the end; a version that could not be judged does not serve."""

from __future__ import annotations

import structlog

from liminal.learning.training.runs import Run, append, standing
from liminal.log.errors import VersionConflict
from liminal.log.events import AdapterVersionRejected, TrainingFailed
from liminal.log.log import Log
from liminal.steering.artifacts import current_learning_policy

log = structlog.get_logger(__name__)


async def attempts(log_: Log, run: Run) -> int:
    """How often the run was begun."""
    known = await standing(log_.pool, run.id)
    return known.attempt if known else 0


async def attempt_failed(log_: Log, run: Run, code: str, message: str) -> bool:
    """Say that an attempt broke off. True when another may follow, by the policy of learning."""
    attempt = max(1, await attempts(log_, run))
    policy = (await current_learning_policy(log_, run.tenant)).body.training
    if attempt >= policy.attempts:
        await fail(log_, run, code, message)
        return False
    failed = TrainingFailed(run_id=run.id, error_code=code, message=message, retryable=True, attempt=attempt)
    await log_.wait_for(await append(log_, run, failed, f"attempt {attempt} failed"))
    return True


async def fail(log_: Log, run: Run, code: str, message: str) -> None:
    """Say that the run failed for good, so that its adapter may learn again."""
    attempt = max(1, await attempts(log_, run))
    failed = TrainingFailed(run_id=run.id, error_code=code, message=message, retryable=False, attempt=attempt)
    try:
        await append(log_, run, failed, "failed", expected=1)
    except VersionConflict:
        known = await standing(log_.pool, run.id)
        if known is not None and known.state == "done" and not known.decided:
            await _reject_unjudged(log_, run)


async def _reject_unjudged(log_: Log, run: Run) -> None:
    rejected = AdapterVersionRejected(
        adapter_id=run.adapter_id, adapter_version=run.version, by="system", reasons=["not_judged"]
    )
    await append(log_, run, rejected, "decided", "adapter")
    log.warning("learn.not_judged", adapter=str(run.adapter_id), version=run.version)
