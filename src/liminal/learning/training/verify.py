"""Proof that weights follow from the log: a run is trained again from data, base and seed, and compared."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from liminal.engine.peft import save_adapter
from liminal.engine.training import TrainingRun
from liminal.learning.adapters.archive import pack
from liminal.learning.evidence.dataset import unseal
from liminal.learning.training import recipe
from liminal.learning.training.strength import with_strength
from liminal.learning.training.workbench import Workbench
from liminal.log.log import Log
from liminal.settings import Settings
from liminal.storage.blobs import BlobStore

_DONE = """
    SELECT run_id, adapter_id, adapter_version, dataset, hyperparameters, base_hash, content_hash,
           weights
    FROM read.training_runs
    WHERE state = 'done' AND ($1::uuid[] IS NULL OR run_id = ANY($1)) ORDER BY queued_at DESC LIMIT $2
"""


@dataclass(frozen=True)
class Verified:
    """One run that was repeated. ``equal`` is None where it can't be: ``said`` has the reason."""

    run_id: UUID
    adapter_id: UUID
    version: int
    recorded: str
    equal: bool | None
    said: str


async def verify_runs(settings: Settings, runs: Sequence[UUID] | None, limit: int) -> list[Verified]:
    """Train runs that are done again, without a word to the log; weights that are lost are put back."""
    bench = await asyncio.to_thread(Workbench.load, settings)
    try:
        async with Log.open(settings, source="liminal/verify") as log:
            blobs = BlobStore.open(settings)
            rows = await log.pool.fetch(_DONE, list(runs) if runs else None, limit)
            return [await _verify(log, blobs, bench, row) for row in rows]
    finally:
        await bench.aclose()


async def _verify(log: Log, blobs: BlobStore, bench: Workbench, row: Any) -> Verified:
    def said(equal: bool | None, text: str) -> Verified:
        return Verified(
            row["run_id"], row["adapter_id"], row["adapter_version"], row["content_hash"], equal, text
        )

    if row["base_hash"] != bench.model.identity:
        return said(None, f"it was trained for another base ({row['base_hash'][:12]})")
    recorded = orjson.loads(row["dataset"])
    data = await unseal(log.vault, await blobs.get(recorded["blob"]["hash"]))
    if len(data.lessons) < recorded["examples"]:
        return said(None, "people whose lessons it learned were erased")
    settings = orjson.loads(row["hyperparameters"])
    config = recipe.from_hyperparameters(settings)
    training = TrainingRun(bench.model, recipe.jobs(data, (await bench.general("train")).all), config)
    await asyncio.to_thread(lambda: [None for _ in training])
    scaled = with_strength(
        bench.model, training.adapters, await bench.general("scale"), recipe.scales_of(settings)
    )
    adapter = scaled[recipe.CANDIDATE]
    if adapter.content_hash != row["content_hash"]:
        return said(False, f"not equal: {adapter.content_hash[:16]}")
    weights = orjson.loads(row["weights"])["hash"]
    if await blobs.size(weights) is not None:
        return said(True, "equal")
    with tempfile.TemporaryDirectory() as folder:
        save_adapter(folder, adapter, base_model=bench.model.name)
        blob = await blobs.put(pack(Path(folder)))
    return said(blob.hash == weights, "equal, and put back where it was lost")
