"""Getting the adapters that take part in an answer into the engine; which they are the router decides."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from liminal.engine.backend import Backend
from liminal.engine.engine import Engine
from liminal.engine.errors import AdapterNotFound
from liminal.learning.adapters.archive import unpack
from liminal.learning.errors import NoSuchAdapter
from liminal.log.events import AdapterUse
from liminal.storage.blobs import BlobStore
from liminal.storage.postgres import Pool


class ServingAdapters:
    """The adapters of one worker's engine."""

    def __init__(self, pool: Pool, blobs: BlobStore, backend: Backend, folder: Path) -> None:
        """``folder`` keeps unpacked adapters by content hash."""
        self._pool = pool
        self._blobs = blobs
        self._engine = backend if isinstance(backend, Engine) else None
        self._folder = folder
        self._loading = asyncio.Lock()

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

    def base_hash(self) -> str | None:
        """Which base is loaded; None where an endpoint answers, which knows its own adapters.

        An adapter of another base would load where shapes agree, and say nothing that it learned.
        """
        return None if self._engine is None else self._engine.identity

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
