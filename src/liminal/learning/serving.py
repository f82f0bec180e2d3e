"""Which adapters may take part in an answer, and getting them into the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from asyncpg import Record

from liminal.engine.backend import Backend
from liminal.engine.engine import Engine
from liminal.engine.errors import AdapterNotFound
from liminal.learning.archive import unpack
from liminal.learning.errors import NoSuchAdapter
from liminal.log.events import AdapterUse
from liminal.storage.blobs import BlobStore
from liminal.storage.postgres import Pool

# passed: nothing serves without its gate, whatever was promoted (I7); scope and subject: nobody else's (I9)
_SERVING = """
    SELECT a.adapter_id, a.name, a.kind, v.version, v.content_hash, v.weights_hash
    FROM read.adapters a
    JOIN read.adapter_versions v ON v.adapter_id = a.adapter_id AND v.version = a.serving_version
    WHERE a.active AND NOT a.retired AND v.passed
      AND ((a.scope = 'user' AND a.subject = $1) OR (a.scope = 'tenant' AND a.subject = $2))
"""


class ServingAdapters:
    """The adapters of one worker's engine."""

    def __init__(self, pool: Pool, blobs: BlobStore, backend: Backend, folder: Path) -> None:
        """``folder`` keeps unpacked adapters by content hash."""
        self._pool = pool
        self._blobs = blobs
        self._engine = backend if isinstance(backend, Engine) else None
        self._folder = folder
        self._loading = asyncio.Lock()

    async def personas(self, owner: str, tenant: str) -> list[AdapterUse]:
        """The persona adapters of an account, each at gate 1."""
        rows = await self._pool.fetch(_SERVING + " AND a.kind = 'persona' ORDER BY a.name", owner, tenant)
        return [_use(row, 1.0) for row in rows]

    async def named(self, owner: str, tenant: str, mixture: Mapping[str, float]) -> list[AdapterUse]:
        """The adapters of a mixture that was asked for by name. Raises NoSuchAdapter."""
        rows = await self._pool.fetch(_SERVING + " AND a.name = ANY($3)", owner, tenant, list(mixture))
        found = {row["name"]: row for row in rows}
        for name in mixture:
            if name not in found:
                raise NoSuchAdapter(f"No adapter {name!r} serves this account.", name=name)
        return [_use(found[name], gate) for name, gate in mixture.items()]

    async def load(self, uses: Sequence[AdapterUse]) -> dict[str, float]:
        """The mixture as the backend wants it, its adapters registered.

        Raises NoSuchAdapter when a recorded version is unknown, and what the blob store and engine raise.
        """
        engine = self._engine
        if engine is None:
            return {use.name: use.gate for use in uses}
        for use in uses:
            try:
                engine.adapters.resolve(use.content_hash)
            except AdapterNotFound:
                async with self._loading:
                    await self._register(engine, use)
        return {use.content_hash: use.gate for use in uses}

    async def _register(self, engine: Engine, use: AdapterUse) -> None:
        folder = self._folder / use.content_hash
        if not folder.is_dir():
            weights = await self._pool.fetchval(
                "SELECT weights_hash FROM read.adapter_versions WHERE adapter_id = $1 AND version = $2",
                use.adapter_id,
                use.version,
            )
            if weights is None:
                raise NoSuchAdapter(f"There is no version {use.version} of {use.name!r}.", name=use.name)
            payload = await self._blobs.get(weights)
            partial = folder.with_suffix(".partial")
            await asyncio.to_thread(unpack, payload, partial)
            partial.rename(folder)
        # known by its content, so that the same name in two tenants is two adapters
        await asyncio.to_thread(engine.adapters.register, use.content_hash, folder)


def _use(row: Record, gate: float) -> AdapterUse:
    return AdapterUse.model_validate(
        {
            "adapter_id": row["adapter_id"],
            "name": row["name"],
            "version": row["version"],
            "gate": gate,
            "content_hash": row["content_hash"],
        }
    )
