"""A version's weights as files for others: PEFT's folder, or llama.cpp's GGUF."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from liminal.engine.config import ModelConfig
from liminal.engine.gguf.adapter import save_gguf_adapter
from liminal.engine.peft import load_adapter
from liminal.learning.adapters.archive import unpack
from liminal.learning.adapters.library import AdapterRow
from liminal.learning.errors import NoSuchVersion
from liminal.storage.blobs import BlobStore
from liminal.storage.postgres import Pool


def exported_version(adapter: AdapterRow, version: int | None = None) -> int:
    """The version to export: the one asked for, else the one that serves, else the newest.

    Raises NoSuchVersion.
    """
    if version is None:
        newest = adapter.versions[0].version if adapter.versions else None
        version = adapter.serving_version or newest
    if version is None:
        raise NoSuchVersion(f"{adapter.name} has no version yet.")
    return adapter.version(version).version


async def export_peft(pool: Pool, blobs: BlobStore, adapter: AdapterRow, version: int, folder: Path) -> None:
    """Write a version as PEFT stores it, the bytes that were trained or taken in.

    Raises NoSuchVersion, and what the blob store raises.
    """
    weights = await pool.fetchval(
        "SELECT weights_hash FROM read.adapter_versions WHERE adapter_id = $1 AND version = $2",
        adapter.id,
        version,
    )
    if weights is None:
        raise NoSuchVersion(f"{adapter.name} has no version {version}.")
    payload = await blobs.get(weights)
    await asyncio.to_thread(unpack, payload, folder)


async def export_gguf(
    pool: Pool, blobs: BlobStore, adapter: AdapterRow, version: int, file: Path, config: ModelConfig
) -> None:
    """Write a version for llama.cpp; ``config`` is that of its base model.

    Raises AdapterInvalid when the base model has another shape, and what export_peft raises.
    """
    with tempfile.TemporaryDirectory() as scratch:
        await export_peft(pool, blobs, adapter, version, Path(scratch))
        made = load_adapter(scratch, config)
        await asyncio.to_thread(save_gguf_adapter, file, made, config, adapter.version(version).base_model)
