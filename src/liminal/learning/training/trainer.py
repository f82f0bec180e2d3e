"""Carries a run out: trains, resumes after a kill to the same bytes, gives way, judges, decides."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis

from liminal.chat.keys import Keys
from liminal.chat.waiting import WaitingTurns
from liminal.engine.peft import Adapter, load_adapter, save_adapter
from liminal.engine.training import Progress, TrainingError, TrainingRun, training_progress
from liminal.engine.training.checkpoint import FILE
from liminal.learning.adapters.archive import pack, unpack
from liminal.learning.errors import BaseChanged, RunCancelled
from liminal.learning.evidence.dataset import DataSet, unseal
from liminal.learning.gate.decide import decide
from liminal.learning.gate.judge import judge
from liminal.learning.gate.report import write_report
from liminal.learning.training import recipe
from liminal.learning.training.brake import Brake
from liminal.learning.training.failing import attempts, fail
from liminal.learning.training.runs import Run, append, standing
from liminal.learning.training.strength import with_strength
from liminal.learning.training.workbench import Workbench
from liminal.log.errors import VersionConflict
from liminal.log.events import (
    AdapterVersionTrained,
    BlobRef,
    TrainingDone,
    TrainingProgress,
    TrainingStarted,
)
from liminal.log.log import Log
from liminal.steering.artifacts import current_learning_policy
from liminal.steering.learning_policy import LearningPolicy
from liminal.storage.blobs import BlobStore
from liminal.storage.errors import BlobMissing

log = structlog.get_logger(__name__)

PROGRESS_EVERY = 1.0
"""Seconds between events of progress, beside those that carry a checkpoint."""
_VERSION = """
    SELECT weights_hash, feedback_ids, base_hash FROM read.adapter_versions
    WHERE adapter_id = $1 AND version = $2
"""


@dataclass(frozen=True)
class Serving:
    """What a candidate is held against; no adapter is the base model alone."""

    adapter: Adapter | None = None
    feedback: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class Trained:
    """The adapters of a run, the last step's progress, and seconds from its start."""

    adapters: Mapping[str, Adapter]
    last: Progress | None
    seconds: float

    @property
    def candidate(self) -> Adapter:
        """The adapter that may serve."""
        return self.adapters[recipe.CANDIDATE]


class Trainer:
    """Carries out one run after another."""

    def __init__(self, log_: Log, blobs: BlobStore, redis: Redis, bench: Workbench, home: Path) -> None:
        """``home``: the folder for what is being trained, which may be lost."""
        self._log = log_
        self._blobs = blobs
        self._waiting = WaitingTurns(redis, Keys(log_.settings.topic))
        self._bench = bench
        self._home = home

    async def carry_out(self, run: Run) -> None:
        """Train, judge and decide; what was done of it before is not done again.

        Raises what is worth another attempt. What would fail again is ``training.failed`` for good.
        """
        known = await standing(self._log.pool, run.id)
        if known is not None and (known.state in ("failed", "cancelled") or known.decided):
            return
        policy = (await current_learning_policy(self._log, run.tenant)).body
        try:
            await self._carry_out(run, known is not None and known.state == "done", policy)
        except RunCancelled:
            log.info("learn.cancelled", run=str(run.id))
        except VersionConflict:
            log.info("learn.ended_elsewhere", run=str(run.id))
        except (TrainingError, BaseChanged) as error:
            await fail(self._log, run, error.code, error.message)
        shutil.rmtree(self._home / str(run.id), ignore_errors=True)

    async def _carry_out(self, run: Run, done: bool, policy: LearningPolicy) -> None:
        if run.base_hash != self._bench.model.identity:
            raise BaseChanged(
                f"The run is for the base {run.base_hash[:12]}, and {self._bench.model.name} "
                f"({self._bench.model.identity[:12]}) is loaded."
            )
        patience = policy.training.pause_latency_ms / 1000
        brake = Brake(self._log.pool, self._waiting, run.id, run.tenant, patience)
        if not done:
            attempt = await attempts(self._log, run) + 1
            worker = f"{os.uname().nodename}:{os.getpid()}"
            started = TrainingStarted(run_id=run.id, worker=worker, attempt=attempt)
            await self._log.wait_for(await append(self._log, run, started, f"started {attempt}"))
        data = await unseal(self._log.vault, await self._blobs.get(run.dataset.hash))
        trained = await self._train(run, data, brake, quiet=done)
        weights = await self._keep(run, trained.candidate)
        if not done:
            await self._say_done(run, trained, weights)
        await self._say_trained(run, data, trained.candidate, weights)
        await self._judge(run, data, trained, policy)
        await self._forget_checkpoint(run)

    async def _train(self, run: Run, data: DataSet, brake: Brake, *, quiet: bool) -> Trained:
        folder = self._home / str(run.id)
        await self._fetch_checkpoint(run, folder)
        config = recipe.from_hyperparameters(run.hyperparameters)
        replay = (await self._bench.general("train")).all
        jobs = recipe.jobs(data, replay)
        training = await asyncio.to_thread(TrainingRun, self._bench.model, jobs, config, folder)
        began = told = time.monotonic()
        last: Progress | None = None
        previous: BlobRef | None = None
        await brake.give_way()
        async for last in training_progress(training):
            saved = last.step % config.checkpoint_every == 0 and not quiet
            if saved or (not quiet and time.monotonic() - told >= PROGRESS_EVERY):
                told = time.monotonic()
                previous = await self._tell(run, last, folder if saved else None, previous)
            await brake.give_way()
        adapters = await asyncio.to_thread(
            with_strength,
            self._bench.model,
            training.adapters,
            await self._bench.general("scale"),
            recipe.scales_of(run.hyperparameters),
        )
        alpha = adapters[recipe.CANDIDATE].alpha
        log.info(
            "learn.trained", run=str(run.id), steps=training.steps, alpha=alpha, stood=round(brake.stood, 2)
        )
        return Trained(adapters, last, time.monotonic() - began)

    async def _tell(
        self, run: Run, step: Progress, folder: Path | None, previous: BlobRef | None
    ) -> BlobRef | None:
        checkpoint = previous
        if folder is not None:
            blob = await self._blobs.put((folder / FILE).read_bytes())
            checkpoint = BlobRef(hash=blob.hash, size=blob.size)
        metrics = {
            "loss": step.losses.get(recipe.CANDIDATE, step.loss),
            "tokens_per_second": step.tokens_per_second,
        }
        if step.eta_seconds is not None:
            metrics["seconds_left"] = step.eta_seconds
        event = TrainingProgress(
            run_id=run.id,
            step=step.step,
            steps=step.steps,
            metrics=metrics,
            checkpoint=checkpoint if folder is not None else None,
        )
        await append(self._log, run, event, f"step {step.step} {os.getpid()}")
        if previous is not None and checkpoint is not None and checkpoint.hash != previous.hash:
            await self._blobs.delete(previous.hash)
        return checkpoint

    async def _fetch_checkpoint(self, run: Run, folder: Path) -> None:
        """What another worker, or this one before it was killed, had reached."""
        known = await standing(self._log.pool, run.id)
        if known is None or known.checkpoint is None or (folder / FILE).is_file():
            return
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        try:
            await self._blobs.save(known.checkpoint.hash, folder / FILE)
            log.info("learn.resumes", run=str(run.id))
        except BlobMissing:
            log.info("learn.begins_anew", run=str(run.id))

    async def _forget_checkpoint(self, run: Run) -> None:
        known = await standing(self._log.pool, run.id)
        if known is not None and known.checkpoint is not None:
            await self._blobs.delete(known.checkpoint.hash)

    async def _keep(self, run: Run, candidate: Adapter) -> BlobRef:
        folder = self._home / str(run.id) / "candidate"
        await asyncio.to_thread(save_adapter, folder, candidate, base_model=self._bench.model.name)
        blob = await self._blobs.put(pack(folder))
        return BlobRef(hash=blob.hash, size=blob.size)

    async def _say_done(self, run: Run, trained: Trained, weights: BlobRef) -> None:
        metrics: dict[str, float] = {}
        if trained.last is not None:
            metrics["loss"] = trained.last.losses.get(recipe.CANDIDATE, trained.last.loss)
        done = TrainingDone(
            run_id=run.id,
            weights=weights,
            content_hash=trained.candidate.content_hash,
            steps=trained.last.step if trained.last else 0,
            seconds=round(trained.seconds, 3),
            metrics=metrics,
        )
        await append(self._log, run, done, "done", expected=1)

    async def _say_trained(self, run: Run, data: DataSet, candidate: Adapter, weights: BlobRef) -> None:
        trained = AdapterVersionTrained(
            adapter_id=run.adapter_id,
            adapter_version=run.version,
            run_id=run.id,
            weights=weights,
            content_hash=candidate.content_hash,
            base_model=self._bench.model.name,
            base_hash=self._bench.model.identity,
            rank=candidate.rank,
            alpha=candidate.alpha,
            targets=sorted({target for _, target in candidate.tensors}),
            parent_version=run.parent_version,
            dataset_hash=run.dataset.hash,
            feedback_ids=data.feedback_ids,
        )
        await append(self._log, run, trained, "trained", "adapter")

    async def _judge(self, run: Run, data: DataSet, trained: Trained, policy: LearningPolicy) -> None:
        serving = await self._serving(run)
        report = await asyncio.to_thread(
            judge,
            self._bench.model,
            trained.adapters,
            serving.adapter,
            data,
            serving.feedback,
            await self._bench.general("held_out"),
            policy.gate,
            run.seed,
        )
        blob = await write_report(
            self._log.vault, self._blobs, self._bench, run, report, trained.adapters, serving.adapter, data
        )
        await decide(self._log, run, report, blob)

    async def _serving(self, run: Run) -> Serving:
        if run.parent_version is None:
            return Serving()
        row: Any = await self._log.pool.fetchrow(_VERSION, run.adapter_id, run.parent_version)
        if row["base_hash"] != run.base_hash:
            return Serving()  # it was made for another base, and answers nothing any more
        folder = self._home / str(run.id) / "serving"
        unpack(await self._blobs.get(row["weights_hash"]), folder)
        adapter = await asyncio.to_thread(load_adapter, folder, self._bench.model.config)
        return Serving(adapter, tuple(row["feedback_ids"]))
