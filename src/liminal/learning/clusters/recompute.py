"""A recorded pass, made again from the log alone: the read models before its positions, the vectors anew."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

import orjson
from asyncpg import Record

from liminal.learning.clusters.embeddings import Embeddings
from liminal.learning.clusters.passes import decided_event, method_of, run_pass
from liminal.learning.clusters.pieces import PROJECTIONS, Scope, snapshot_in
from liminal.learning.clusters.workshop import Workshop
from liminal.log.log import Log
from liminal.projector.resources import Resources
from liminal.projector.scratch import drop_scratch, fold_until

_RUNS = """
    SELECT * FROM read.clustering_runs WHERE $1::text IS NULL OR owner_id = $1
    ORDER BY decided_at DESC, run_id LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Recomputed:
    """One pass, and whether it came out as it is recorded, byte by byte."""

    run_id: UUID
    scope: Scope
    subject: str
    points: int
    clusters: int
    same: bool


async def recompute(
    log: Log, resources: Resources, workshop: Workshop, subject: str | None, limit: int
) -> list[Recomputed]:
    """The newest passes of an account or tenant, or of all, newest first."""
    embeddings = Embeddings(log.pool, await workshop.encoder_name(), workshop.embed)
    rows = await log.pool.fetch(_RUNS, subject, limit)
    return [await _again(log, resources, workshop, embeddings, row) for row in rows]


async def _again(
    log: Log, resources: Resources, workshop: Workshop, embeddings: Embeddings, row: Record
) -> Recomputed:
    positions = {int(partition): offset for partition, offset in orjson.loads(row["positions"]).items()}
    every = {partition: positions.get(partition, 0) for partition in range(resources.settings.partitions)}
    schema = f"pass_{uuid4().hex[:12]}"
    await fold_until(resources, every, schema, PROJECTIONS)
    try:
        async with log.pool.acquire() as connection:
            snapshot = await snapshot_in(connection, row["scope"], row["subject"], positions, schema)
    finally:
        await drop_scratch(resources, schema)
    method = method_of({**row, "parameters": orjson.loads(row["parameters"])})
    made = await run_pass(snapshot, method, embeddings, workshop)
    decided = decided_event(snapshot, row["run_id"], method, made).model_dump(mode="json")
    names = ("positions", "parameters", "changes")
    recorded = {name: orjson.loads(row[name]) for name in names}
    recorded |= {"points": row["points"], "clusters": row["clusters"], "seed": row["seed"]}
    # what is left out on the log is None here
    again = {name: _plain(decided[name]) for name in recorded}
    return Recomputed(
        row["run_id"],
        row["scope"],
        row["subject"],
        row["points"],
        row["clusters"],
        orjson.dumps(again, option=orjson.OPT_SORT_KEYS)
        == orjson.dumps({name: _plain(recorded[name]) for name in recorded}, option=orjson.OPT_SORT_KEYS),
    )


def _plain(value: object) -> object:
    return orjson.loads(orjson.dumps(value))
