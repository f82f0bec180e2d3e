"""A persona: one account's feedback, learned into one adapter of its own, version by version."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import orjson
import structlog

from liminal.engine.bundled.habits import general
from liminal.engine.peft import Adapter, load_adapter, save_adapter
from liminal.engine.training import BaseModel, Completion, Progress, TrainConfig, TrainingError, train
from liminal.errors import LiminalError
from liminal.learning.archive import pack, unpack
from liminal.learning.evidence import Evidence, evidence_of, said_by_assistant
from liminal.learning.gate import Report, judge
from liminal.learning.worker import LEAST
from liminal.log.envelope import Meta
from liminal.log.errors import VersionConflict
from liminal.log.events import (
    AdapterCreated,
    AdapterVersionEvaluated,
    AdapterVersionPromoted,
    AdapterVersionRejected,
    AdapterVersionTrained,
    BlobRef,
    Dataset,
    Event,
    TrainingDone,
    TrainingFailed,
    TrainingProgress,
    TrainingQueued,
    TrainingStarted,
)
from liminal.log.ids import derived_id
from liminal.log.log import Log
from liminal.log.reaction import Delivery
from liminal.storage.blobs import BlobStore

log = structlog.get_logger(__name__)

ACTOR = "learn"
MORE = 3
"""New pieces of feedback before another version is."""
REPLAY = 24
GENERAL = 48
"""Answers of the model's own that are replayed, and that forgetting is measured by."""
CONFIG = TrainConfig(rank=8, alpha=16.0, learning_rate=1e-3, epochs=8, batch_size=8, replay_ratio=1.0)
PROGRESS_EVERY = 2.0
"""Seconds between events of progress."""


@dataclass(frozen=True)
class Run:
    """All that decides a run's result."""

    id: UUID
    owner: UUID
    tenant: str
    adapter_id: UUID
    version: int
    parent_version: int | None
    dataset: BlobRef
    cause: UUID


class PersonaLearner:
    """Trains, judges and promotes personas."""

    def __init__(self, log_: Log, blobs: BlobStore, model: BaseModel) -> None:
        self._log = log_
        self._blobs = blobs
        self._model = model
        self._one_at_a_time = asyncio.Semaphore(1)

    async def handle(self, delivery: Delivery) -> None:
        """Learn from an account's feedback, if there is enough that is new."""
        event = delivery.event
        owner = UUID(event["_owner"])
        await self._log.wait_for(delivery.position)
        run_id = derived_id(UUID(event["_id"]), "persona run")
        recorded = await self._log.pool.fetchrow("SELECT * FROM read.training_runs WHERE run_id = $1", run_id)
        if recorded is not None and recorded["state"] in ("failed", "cancelled"):
            return
        if recorded is not None:
            # taken over: the data set is the recorded one
            run = Run(
                run_id,
                owner,
                event["_tenant"],
                recorded["adapter_id"],
                recorded["adapter_version"],
                recorded["parent_version"],
                BlobRef.model_validate(orjson.loads(recorded["dataset"])["blob"]),
                UUID(event["_id"]),
            )
            evidence = Evidence.parse(await self._blobs.get(run.dataset.hash))
        else:
            evidence = await evidence_of(self._log.pool, owner)
            queued = await self._queue(event, run_id, owner, evidence)
            if queued is None:
                return
            run = queued
        async with self._one_at_a_time:
            await self._learn(run, evidence)

    async def given_up(self, delivery: Delivery, error: Exception) -> None:
        """Say that the run failed, after the last attempt."""
        event = delivery.event
        run_id = derived_id(UUID(event["_id"]), "persona run")
        failed = TrainingFailed(
            run_id=run_id,
            error_code=error.code if isinstance(error, LiminalError) else "internal",
            message=error.message if isinstance(error, LiminalError) else "The run broke off.",
            retryable=True,
        )
        meta = self._meta(
            event["_owner"], event["_tenant"], f"training-{run_id}", UUID(event["_id"]), "failed"
        )
        await self._log.append(failed, meta)

    async def _queue(
        self, event: Mapping[str, Any], run_id: UUID, owner: UUID, evidence: Evidence
    ) -> Run | None:
        adapter_id = derived_id(owner, "persona")
        last = await self._log.pool.fetchrow(
            "SELECT adapter_version, dataset FROM read.training_runs WHERE adapter_id = $1 "
            "ORDER BY adapter_version DESC LIMIT 1",
            adapter_id,
        )
        known: set[UUID] = set()
        if last is not None:
            blob = BlobRef.model_validate(orjson.loads(last["dataset"])["blob"])
            known = set(Evidence.parse(await self._blobs.get(blob.hash)).feedback_ids)
        current = set(evidence.feedback_ids)
        withdrawn = bool(known - current) and event["_type"] == "feedback.withdrawn"
        enough = len(current - known) >= (MORE if known else LEAST)
        if len(current) < LEAST or not (enough or withdrawn):
            return None
        blob = await self._blobs.put(evidence.payload())
        serving = await self._serving_version(adapter_id)
        run = Run(
            run_id,
            owner,
            event["_tenant"],
            adapter_id,
            1 if last is None else last["adapter_version"] + 1,
            serving,
            BlobRef(hash=blob.hash, size=blob.size),
            UUID(event["_id"]),
        )
        reason = "withdrawal" if withdrawn else "more_evidence" if known else "approved"
        queued = self._queued(run, evidence, reason)
        try:
            await self._append(run, queued, "training", "queued", expected=0)
        except VersionConflict:
            log.info("learn.queued_elsewhere", run=str(run.id))
        return run

    def _queued(
        self, run: Run, evidence: Evidence, reason: Literal["withdrawal", "more_evidence", "approved"]
    ) -> TrainingQueued:
        return TrainingQueued(
            run_id=run.id,
            adapter_id=run.adapter_id,
            adapter_version=run.version,
            scope="user",
            subject=str(run.owner),
            base_model=self._model.name,
            base_hash=self._model.fingerprint,
            parent_version=run.parent_version,
            dataset=Dataset(
                blob=run.dataset,
                examples=len(evidence.learned),
                held_out=len(evidence.held_out),
                replay=REPLAY,
                methods={"sft": len(evidence.learned)},
            ),
            method="sft",
            hyperparameters={
                name: list(value) if isinstance(value, tuple) else value
                for name, value in dataclasses.asdict(CONFIG).items()
                if value is not None
            },
            seed=CONFIG.seed,
            reason=reason,
        )

    async def _learn(self, run: Run, evidence: Evidence) -> None:
        started = TrainingStarted(run_id=run.id, worker=f"{os.uname().nodename}:{os.getpid()}")
        await self._append(run, started, "training", "started")
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "adapter"
            try:
                adapter, last = await self._train(run, evidence, folder)
            except TrainingError as error:
                failed = TrainingFailed(
                    run_id=run.id, error_code=error.code, message=error.message, retryable=False
                )
                await self._append(run, failed, "training", "failed")
                return
            save_adapter(folder, adapter, base_model=self._model.name)
            blob = await self._blobs.put(pack(folder))
        weights = BlobRef(hash=blob.hash, size=blob.size)
        done = TrainingDone(
            run_id=run.id,
            weights=weights,
            content_hash=adapter.content_hash,
            steps=last.step if last else 0,
            seconds=round(time.monotonic() - began, 3),
        )
        await self._append(run, done, "training", "done")
        await self._say_trained(run, evidence, adapter, weights)
        serving = await self._adapter(run.adapter_id, run.parent_version)
        report = await asyncio.to_thread(self._judge, adapter, serving, evidence)
        await self._decide(run, report)

    async def _train(self, run: Run, evidence: Evidence, folder: Path) -> tuple[Adapter, Progress | None]:
        loop = asyncio.get_running_loop()
        progress: list[Progress] = []
        said = 0.0
        tasks: set[asyncio.Task[None]] = set()

        def tell(step: Progress) -> None:
            nonlocal said
            progress.append(step)
            if time.monotonic() - said < PROGRESS_EVERY:
                return
            said = time.monotonic()
            event = TrainingProgress(
                run_id=run.id, step=step.step, steps=step.steps, metrics={"loss": step.loss}
            )
            loop.call_soon_threadsafe(
                lambda: tasks.add(loop.create_task(self._append(run, event, "training", f"step {step.step}")))
            )

        adapter = await asyncio.to_thread(
            train,
            self._model,
            [lesson.completion for lesson in evidence.learned],
            CONFIG,
            folder,
            replay=_general("train", REPLAY),
            on_progress=tell,
        )
        await asyncio.gather(*tasks)
        return adapter, progress[-1] if progress else None

    def _judge(self, adapter: Adapter, serving: Adapter | None, evidence: Evidence) -> Report:
        held_out = [lesson.completion for lesson in evidence.held_out]
        kept = _general("held_out", GENERAL)
        return judge(self._model, adapter, serving, held_out, evidence.cases, kept, CONFIG.seed)

    async def _say_trained(self, run: Run, evidence: Evidence, adapter: Adapter, weights: BlobRef) -> None:
        created = AdapterCreated(
            adapter_id=run.adapter_id,
            name=f"persona-{run.owner}",
            kind="persona",
            scope="user",
            subject=str(run.owner),
            base_model=self._model.name,
        )
        if run.version == 1:
            await self._append(run, created, "adapter", "created")
        trained = AdapterVersionTrained(
            adapter_id=run.adapter_id,
            adapter_version=run.version,
            run_id=run.id,
            weights=weights,
            content_hash=adapter.content_hash,
            base_model=self._model.name,
            base_hash=self._model.fingerprint,
            rank=adapter.rank,
            alpha=adapter.alpha,
            targets=list(CONFIG.targets),
            parent_version=run.parent_version,
            dataset_hash=run.dataset.hash,
            feedback_ids=sorted(lesson.feedback_id for lesson in evidence.learned),
        )
        await self._append(run, trained, "adapter", "trained")

    async def _decide(self, run: Run, report: Report) -> None:
        ids: dict[str, Any] = {"adapter_id": run.adapter_id, "adapter_version": run.version}
        evaluated = AdapterVersionEvaluated(
            **ids,
            passed=report.passed,
            figures=report.figures,
            baseline_version=run.parent_version,
            examples=report.examples,
            regressions=report.regressions,
            seed=CONFIG.seed,
        )
        await self._append(run, evaluated, "adapter", "evaluated")
        decision: Event
        if report.passed:
            decision = AdapterVersionPromoted(**ids, previous=run.parent_version, by="rule")
        else:
            decision = AdapterVersionRejected(
                **ids, by="rule", reasons=report.reasons, figures=report.figures
            )
        await self._append(run, decision, "adapter", "decided")
        log.info(
            "learn.promoted" if report.passed else "learn.rejected",
            adapter=str(run.adapter_id),
            version=run.version,
            reasons=report.reasons,
        )

    async def _serving_version(self, adapter_id: UUID) -> int | None:
        return await self._log.pool.fetchval(
            "SELECT serving_version FROM read.adapters WHERE adapter_id = $1", adapter_id
        )

    async def _adapter(self, adapter_id: UUID, version: int | None) -> Adapter | None:
        if version is None:
            return None
        weights = await self._log.pool.fetchval(
            "SELECT weights_hash FROM read.adapter_versions WHERE adapter_id = $1 AND version = $2",
            adapter_id,
            version,
        )
        payload = await self._blobs.get(weights)
        with tempfile.TemporaryDirectory() as scratch:
            unpack(payload, Path(scratch))
            return await asyncio.to_thread(load_adapter, scratch, self._model.config)

    async def _append(
        self, run: Run, event: Event, category: str, name: str, expected: int | None = None
    ) -> None:
        stream = f"{category}-{run.id if category == 'training' else run.adapter_id}"
        meta = self._meta(str(run.owner), run.tenant, stream, run.cause, name)
        await self._log.append(event, meta, expected_version=expected)

    @staticmethod
    def _meta(owner: str, tenant: str, stream: str, cause: UUID, name: str) -> Meta:
        return Meta(
            owner=owner,
            tenant=tenant,
            actor=ACTOR,
            stream=stream,
            causation=cause,
            correlation=derived_id(cause, "persona run"),
            id=derived_id(cause, f"persona {name}"),
        )


def _general(split: Any, count: int) -> list[Completion]:
    return [Completion(messages, said_by_assistant(answer)) for messages, answer in general(split, count, 0)]
