"""The store of embeddings: vectors of an owner's texts by content, made once, made again at will."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from liminal.storage.postgres import Pool

Vectors = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Awaitable[Vectors]]
Text = tuple[UUID, str]
"""Whose text it is, and the text."""

_READ = """
    SELECT e.owner_id, e.content, e.vector::text AS vector FROM derived.embeddings e
    JOIN unnest($1::uuid[], $2::bytea[]) AS w (owner_id, content) USING (owner_id, content)
    WHERE e.model = $3
"""
_WRITE = """
    INSERT INTO derived.embeddings (owner_id, model, content, vector)
    SELECT owner_id, $1, content, vector::vector
    FROM unnest($2::uuid[], $3::bytea[], $4::text[]) AS w (owner_id, content, vector)
    ON CONFLICT DO NOTHING
"""


def content_of(text: str) -> bytes:
    """The SHA-256 of a text."""
    return hashlib.sha256(text.encode()).digest()


class Embeddings:
    """Vectors of texts, kept by owner, model and content."""

    def __init__(self, pool: Pool, model: str, embed: Embed) -> None:
        """``model`` names the encoder with its hash; ``embed`` gives f32 [N, D] of N texts."""
        self._pool = pool
        self._model = model
        self._embed = embed

    async def of(self, texts: Sequence[Text]) -> Vectors:
        """Vectors f32 [N, D] in order; those that are missing are made and kept."""
        keys = [(owner, content_of(text)) for owner, text in texts]
        found = await self._known(keys)
        missing = {key: text for key, (_, text) in zip(keys, texts, strict=True) if key not in found}
        if missing:
            made = await self._embed(list(missing.values()))
            await self._keep(list(missing), made)
            # as it comes back from the store, so that a vector is the same whoever made it
            found |= await self._known(list(missing))
        return np.stack([found[key] for key in keys]) if keys else np.zeros((0, 0), np.float32)

    async def forget(self, owners: Collection[UUID]) -> None:
        """Delete all vectors of these owners."""
        await self._pool.execute("DELETE FROM derived.embeddings WHERE owner_id = ANY($1)", list(owners))

    async def drop(self) -> int:
        """Delete all vectors of all; returns how many there were."""
        return await self._pool.fetchval(
            "WITH gone AS (DELETE FROM derived.embeddings RETURNING 1) SELECT count(*) FROM gone"
        )

    async def _known(self, keys: Sequence[tuple[UUID, bytes]]) -> dict[tuple[UUID, bytes], Vectors]:
        rows = await self._pool.fetch(_READ, [key[0] for key in keys], [key[1] for key in keys], self._model)
        return {
            (row["owner_id"], row["content"]): np.fromstring(row["vector"][1:-1], np.float32, sep=",")
            for row in rows
        }

    async def _keep(self, keys: Sequence[tuple[UUID, bytes]], vectors: Vectors) -> None:
        written = ["[" + ",".join(map(repr, vector.tolist())) + "]" for vector in vectors.astype(np.float64)]
        await self._pool.execute(
            _WRITE, self._model, [key[0] for key in keys], [key[1] for key in keys], written
        )
