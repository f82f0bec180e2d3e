"""An adapter that was trained from somebody's feedback, as the learn reaction writes it."""

from __future__ import annotations

import uuid

from tests.api.installation import Person

from liminal.learning.training.runs import run_id_of
from liminal.log.envelope import Meta
from liminal.log.events import (
    AdapterCreated,
    AdapterVersionEvaluated,
    AdapterVersionPromoted,
    AdapterVersionTrained,
    BlobRef,
    Dataset,
    Event,
    Figure,
    TrainingQueued,
)
from liminal.log.ids import new_id

HASH = "ab" * 32
BLOB = BlobRef(hash=HASH, size=1)


async def post_run(person: Person, adapter_id: uuid.UUID, version: int = 1) -> uuid.UUID:
    """A run in the queue."""
    run_id = run_id_of(adapter_id, version)
    queued = TrainingQueued(
        run_id=run_id,
        adapter_id=adapter_id,
        adapter_version=version,
        scope="user",
        subject=person.id,
        base_model="m",
        base_hash=HASH,
        dataset=Dataset(blob=BLOB, examples=4, held_out=4, methods={"sft": 4}),
        method="sft",
        hyperparameters={},
        seed=0,
        reason="approved",
    )
    log = person.installation.services.log
    await log.wait_for(await log.append(queued, _meta(person, f"training-{run_id}"), expected_version=0))
    return run_id


async def post_adapter(
    person: Person, versions: int = 1, *, passed: bool = True, feedback: tuple[uuid.UUID, ...] = ()
) -> uuid.UUID:
    """An adapter of this person's with versions that passed their gates and were promoted one by one."""
    adapter_id = new_id()
    events: list[Event] = [
        AdapterCreated(
            adapter_id=adapter_id,
            name=f"persona-{person.id}",
            kind="persona",
            scope="user",
            subject=person.id,
            base_model="m",
        )
    ]
    for version in range(1, versions + 1):
        events += _version(adapter_id, version, passed, feedback)
    log, meta = person.installation.services.log, _meta(person, f"adapter-{adapter_id}")
    await log.wait_for(max(await log.append_many([(event, meta) for event in events])))
    return adapter_id


def _version(
    adapter_id: uuid.UUID, version: int, passed: bool, feedback: tuple[uuid.UUID, ...]
) -> list[Event]:
    figure = Figure(name="not_better", candidate=1.0, baseline=2.0, low=0.5, high=1.5, passed=passed)
    trained = AdapterVersionTrained(
        adapter_id=adapter_id,
        adapter_version=version,
        run_id=run_id_of(adapter_id, version),
        weights=BLOB,
        content_hash=HASH,
        base_model="m",
        base_hash=HASH,
        rank=8,
        alpha=16.0,
        targets=["q_proj"],
        feedback_ids=list(feedback),
    )
    evaluated = AdapterVersionEvaluated(
        adapter_id=adapter_id, adapter_version=version, passed=passed, figures=[figure], examples=4, seed=0
    )
    previous = version - 1 or None
    promoted = AdapterVersionPromoted(
        adapter_id=adapter_id, adapter_version=version, previous=previous, by="rule"
    )
    return [trained, evaluated, *([promoted] if passed else [])]


def _meta(person: Person, stream: str) -> Meta:
    return Meta(owner=person.id, tenant=person.account["tenant_id"], actor="learn", stream=stream)
