"""The back-test of a patch: past turns of whom it would steer, routed again with it applied."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
import structlog

from liminal.engine.backend import Backend
from liminal.engine.embedder import Embedder, default_encoder
from liminal.errors import LiminalError
from liminal.identity.authorize import SYSTEM_TENANT
from liminal.log.events import BlobRef
from liminal.log.log import Log
from liminal.log.reaction import Delivery, Reaction
from liminal.replay.what_if import Range, WhatIf, what_if
from liminal.settings import Settings
from liminal.steering.catalogue import PatchRow, artifact, patch
from liminal.steering.changes import Changes, applied
from liminal.steering.errors import NoSuchArtifact, PatchNotBacktested
from liminal.steering.kinds import BACKTESTED, IDS, parse_body
from liminal.steering.program import compile_policy
from liminal.steering.routing_policy import RoutingPolicy
from liminal.storage.blobs import BlobStore

log = structlog.get_logger(__name__)

TURNS = 500
"""Turns that a patch is tried on, the newest."""


async def backtest(log: Log, blobs: BlobStore, embedder: Embedder, found: PatchRow) -> PatchRow:
    """Try a patch on past turns and write down what would have been otherwise; once is enough.

    Raises NoSuchArtifact, PatchStale, ArtifactInvalid.
    """
    if found.backtest_turns is not None:
        return found
    result = await try_patch(log, embedder, found)
    blob = await blobs.put(orjson.dumps(result.as_json()))
    report = BlobRef(hash=blob.hash, size=blob.size)
    return await Changes(log).record_backtest(found, result.turns, result.changed, report)


async def report_of(blobs: BlobStore, found: PatchRow) -> dict[str, Any]:
    """The differences that a back-test found. Raises PatchNotBacktested, and what the blob store raises."""
    if found.backtest_report is None:
        raise PatchNotBacktested("The patch was not tried on past turns yet.", patch_id=str(found.patch_id))
    return orjson.loads(await blobs.get(found.backtest_report["hash"]))


async def try_patch(log: Log, embedder: Embedder, found: PatchRow) -> WhatIf:
    """What a patch would change."""
    row = await artifact(log.pool, found.owner, found.artifact_id)
    if row is None:
        raise NoSuchArtifact(f"There is no artifact {found.artifact_id}.")
    policy = parse_body(RoutingPolicy, applied(row.body, found.operations), "The patched policy")
    tenants = None if found.owner == SYSTEM_TENANT else (found.owner,)
    return await what_if(log.pool, embedder, compile_policy(policy), Range(tenants=tenants, limit=TURNS))


def backtest_reaction(settings: Settings, log_: Log, _backend: Backend) -> Reaction:
    """The reaction that tries every proposed patch on past turns."""
    blobs = BlobStore.open(settings)
    embedder = Embedder(lambda: default_encoder(settings.cache / "compiled"))

    async def handle(delivery: Delivery) -> None:
        if IDS.get(delivery.event["artifact_id"]) not in BACKTESTED:
            return
        await log_.wait_for(delivery.position)
        await backtest(log_, blobs, embedder, await patch(log_.pool, UUID(delivery.event["patch_id"])))

    async def given_up(delivery: Delivery, error: Exception) -> None:
        # it stays a proposal that can't be approved; the command line can try it again
        code = error.code if isinstance(error, LiminalError) else "internal"
        log.error("backtest.failed", patch=delivery.event["patch_id"], code=code, error=str(error))

    return Reaction(
        "backtest",
        types={"patch.proposed"},
        handle=handle,
        order_by=lambda event: str(event["artifact_id"]),
        decode=log_.decoder.decode,
        given_up=given_up,
        in_flight=4,
    )
