"""Adapters made elsewhere: a PEFT folder becomes a version that passed (or failed) its gate."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from liminal.engine.peft import load_adapter, save_adapter
from liminal.engine.training import BaseModel, Completion
from liminal.learning.adapters.archive import pack
from liminal.learning.gate.judge import kept_figure
from liminal.log.envelope import Meta
from liminal.log.events import (
    AdapterCreated,
    AdapterVersionEvaluated,
    AdapterVersionPromoted,
    AdapterVersionRejected,
    AdapterVersionTrained,
    BlobRef,
    Event,
    Figure,
)
from liminal.log.ids import derived_id, new_id
from liminal.log.log import Log
from liminal.storage.blobs import BlobStore

NAMESPACE = UUID("7a1c5bb4-8f0e-5a57-9d0c-6a1f4c1d2e3f")
GENERAL_BUDGET = 0.02
"""Share by which the likelihood of general answers may fall below the base model's, unless told otherwise."""


@dataclass(frozen=True)
class Imported:
    """What became of a folder."""

    adapter_id: UUID
    version: int
    content_hash: str
    passed: bool
    figures: list[Figure]


async def import_adapter(
    log: Log,
    blobs: BlobStore,
    model: BaseModel,
    folder: Path,
    general: Sequence[Completion],
    *,
    name: str,
    tenant: str,
    actor: str,
    budget: float = GENERAL_BUDGET,
) -> Imported:
    """Store a PEFT folder as the next version of the tenant's adapter ``name``; it serves if it passes.

    general: answers of the base model's own that have one form (General.one_form).

    The gate of an adapter without evidence of ours is that it fits the base model and forgets at most
    ``budget`` of its general likelihood. Raises what ``load_adapter`` raises, before anything is written.
    """
    adapter = load_adapter(folder, model.config)
    figure = kept_figure("general_nll", model, adapter, general, budget)
    with tempfile.TemporaryDirectory() as scratch:
        save_adapter(scratch, adapter, base_model=model.name)
        blob = await blobs.put(pack(Path(scratch)))
    adapter_id = derived_id(NAMESPACE, f"{tenant} {name}")
    row = await log.pool.fetchrow(
        "SELECT a.serving_version, max(v.version) AS last FROM read.adapters a "
        "LEFT JOIN read.adapter_versions v USING (adapter_id) WHERE adapter_id = $1 GROUP BY 1",
        adapter_id,
    )
    version = (row["last"] or 0) + 1 if row else 1
    serving = row["serving_version"] if row else None
    trained = AdapterVersionTrained(
        adapter_id=adapter_id,
        adapter_version=version,
        weights=BlobRef(hash=blob.hash, size=blob.size),
        content_hash=adapter.content_hash,
        base_model=model.name,
        base_hash=model.identity,
        rank=adapter.rank,
        alpha=adapter.alpha,
        targets=sorted({target for _, target in adapter.tensors}),
    )
    events = _events(trained, figure, len(general), serving)
    if row is None:
        events.insert(0, _created(trained, name, tenant))
    stream = f"adapter-{adapter_id}"
    meta = Meta(owner=tenant, tenant=tenant, actor=actor, stream=stream, correlation=new_id())
    await log.wait_for(max(await log.append_many([(event, meta) for event in events])))
    return Imported(adapter_id, version, adapter.content_hash, figure.passed, [figure])


def _created(trained: AdapterVersionTrained, name: str, tenant: str) -> AdapterCreated:
    return AdapterCreated(
        adapter_id=trained.adapter_id,
        name=name,
        kind="imported",
        scope="tenant",
        subject=tenant,
        base_model=trained.base_model,
    )


def _events(
    trained: AdapterVersionTrained, figure: Figure, examples: int, serving: int | None
) -> list[Event]:
    """That the version exists, what its gate measured, and what follows from it."""
    adapter_id, version = trained.adapter_id, trained.adapter_version
    evaluated = AdapterVersionEvaluated(
        adapter_id=adapter_id,
        adapter_version=version,
        passed=figure.passed,
        figures=[figure],
        baseline_version=None,
        examples=examples,
        seed=0,
    )
    if figure.passed:
        promoted = AdapterVersionPromoted(
            adapter_id=adapter_id, adapter_version=version, previous=serving, by="admin"
        )
        return [trained, evaluated, promoted]
    rejected = AdapterVersionRejected(
        adapter_id=adapter_id, adapter_version=version, by="rule", reasons=[figure.name], figures=[figure]
    )
    return [trained, evaluated, rejected]
