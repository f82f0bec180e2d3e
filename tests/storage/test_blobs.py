"""Blobs: named by their bytes, verified when read."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from liminal.settings import Settings, read_settings
from liminal.storage.blobs import Blob, BlobStore
from liminal.storage.errors import BlobCorrupt, BlobMissing, BlobStoreUnavailable

BIG = b"0123456789abcdef" * (1 << 20)


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """Settings with a home alone."""
    return read_settings(home=tmp_path)


@pytest.fixture
def blobs(home: Settings) -> BlobStore:
    """The store of that home."""
    return BlobStore.open(home)


def named(payload: bytes) -> Blob:
    return Blob(hashlib.sha256(payload).hexdigest(), len(payload))


async def chunks(payload: bytes) -> AsyncGenerator[bytes]:
    for start in range(0, len(payload), 100_000):
        yield payload[start : start + 100_000]


@pytest.mark.parametrize("payload", [b"", b"words", BIG], ids=["empty", "small", "16 MiB"])
async def test_bytes_a_file_and_a_stream_become_the_same_blob(
    blobs: BlobStore, tmp_path: Path, payload: bytes
) -> None:
    file = tmp_path / "payload"
    file.write_bytes(payload)
    assert (
        await blobs.put(payload)
        == await blobs.put(file)
        == await blobs.put(chunks(payload))
        == named(payload)
    )
    assert await blobs.get(named(payload).hash) == payload
    assert [blob async for blob in blobs.hashes()] == [named(payload)]


async def test_a_blob_is_saved_whole_to_a_file(blobs: BlobStore, tmp_path: Path) -> None:
    blob = await blobs.put(BIG)
    assert (await blobs.save(blob.hash, tmp_path / "copy")).read_bytes() == BIG


async def test_a_missing_blob_is_said_to_be_missing(blobs: BlobStore, tmp_path: Path) -> None:
    absent = named(b"absent").hash
    assert await blobs.size(absent) is None
    with pytest.raises(BlobMissing):
        await blobs.get(absent)
    with pytest.raises(BlobMissing):
        await blobs.save(absent, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


async def test_a_damaged_blob_is_found_when_it_is_read(
    blobs: BlobStore, home: Settings, tmp_path: Path
) -> None:
    blob = await blobs.put(b"words")
    (stored,) = [path for path in (home.home / "blobs").rglob("*") if path.is_file()]
    stored.write_bytes(b"swords")
    with pytest.raises(BlobCorrupt):
        await blobs.get(blob.hash)
    with pytest.raises(BlobCorrupt):
        await blobs.save(blob.hash, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


async def test_a_blob_is_deleted_once_and_for_all(blobs: BlobStore) -> None:
    blob = await blobs.put(b"words")
    await blobs.delete(blob.hash)
    await blobs.delete(blob.hash)
    assert await blobs.size(blob.hash) is None


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "ABC", "a" * 63])
async def test_what_is_no_hash_is_never_looked_up(blobs: BlobStore, name: str) -> None:
    with pytest.raises(BlobMissing):
        await blobs.get(name)


def test_a_store_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BlobStoreUnavailable, match="LIMINAL_BLOBS_URL"):
        BlobStore.open(read_settings(home=tmp_path, blobs_url="ftp://somewhere/blobs"))
