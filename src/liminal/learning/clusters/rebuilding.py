"""All vectors made again: dropped, and embedded from the evidence that the log has."""

from __future__ import annotations

from liminal.learning.clusters.embeddings import Embeddings
from liminal.learning.clusters.pieces import read_snapshot
from liminal.learning.clusters.workshop import Workshop
from liminal.log.log import Log


async def rebuild_embeddings(log: Log) -> tuple[int, int]:
    """Drop every vector and make those of the evidence that counts: how many there were, and are."""
    workshop = Workshop(log.settings)
    try:
        embeddings = Embeddings(log.pool, await workshop.encoder_name(), workshop.embed)
        dropped = await embeddings.drop()
        rows = await log.pool.fetch(
            "SELECT DISTINCT owner_id::text AS owner FROM read.evidence ORDER BY owner"
        )
        for row in rows:
            snapshot = await read_snapshot(log.pool, "user", row["owner"])
            await embeddings.of([(piece.owner, text) for piece in snapshot.pieces for text in piece.texts])
        made = await log.pool.fetchval("SELECT count(*) FROM derived.embeddings")
        return dropped, made
    finally:
        await workshop.aclose()
