"""Large payloads by content: a blob is named by the SHA-256 of its bytes and never changes."""

from __future__ import annotations

import asyncio
import hashlib
import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from liminal.settings import Settings
from liminal.storage.errors import BlobCorrupt, BlobMissing, BlobStoreUnavailable

CHUNK = 1 << 20
IN_MEMORY = 8 << 20
"""Bytes of a stream that are held in memory before it goes to a temporary file."""


@dataclass(frozen=True, slots=True)
class Blob:
    """What an event says about a payload: ``hash`` in lower-case hex, ``size`` in bytes."""

    hash: str
    size: int


class BlobStore:
    """Blobs in a local folder, S3, GCS or Azure."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def open(cls, settings: Settings) -> BlobStore:
        """The store of ``settings.blobs_url``, else the folder ``blobs`` under the home, made when missing.

        Raises BlobStoreUnavailable.
        """
        url = settings.blobs_url or (settings.home.absolute() / "blobs").as_uri()
        try:
            if url.startswith("file:"):
                return cls(from_url(url, mkdir=True))
            return cls(from_url(url))
        except (BaseError, ValueError, OSError) as error:
            raise BlobStoreUnavailable(
                f"the blob store of LIMINAL_BLOBS_URL can't be opened: {error}"
            ) from error

    async def put(self, payload: bytes | Path | AsyncIterable[bytes]) -> Blob:
        """Store bytes, a file, or a stream of any length; what is already there is not written again.

        Raises BlobStoreUnavailable.
        """
        if isinstance(payload, bytes):
            return await self._store_bytes(payload)
        if isinstance(payload, Path):
            with payload.open("rb") as file:
                return await self._store_file(file)
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spool:
            async for chunk in payload:
                spool.write(chunk)
            spool.seek(0)
            return await self._store_file(spool)

    async def get(self, hash_: str) -> bytes:
        """The whole blob, verified. Raises BlobMissing, BlobCorrupt or BlobStoreUnavailable."""
        return b"".join([chunk async for chunk in self.stream(hash_)])

    async def stream(self, hash_: str) -> AsyncGenerator[bytes]:
        """The blob in chunks, verified as it passes: BlobCorrupt comes after the last chunk.

        Raises BlobMissing before the first chunk, BlobStoreUnavailable at any.
        """
        digest = hashlib.sha256()
        try:
            reply = await obstore.get_async(self._store, _path(hash_))
            async for chunk in reply.stream(min_chunk_size=CHUNK):
                data = bytes(chunk)
                digest.update(data)
                yield data
        except FileNotFoundError:
            raise BlobMissing(f"no blob {hash_}", hash=hash_) from None
        except BaseError as error:
            raise _unavailable(error) from error
        if digest.hexdigest() != hash_:
            raise BlobCorrupt(f"blob {hash_} is damaged: its bytes hash to {digest.hexdigest()}", hash=hash_)

    async def save(self, hash_: str, path: Path) -> Path:
        """Write the blob to a file, which appears only when it is whole and verified.

        Raises BlobMissing, BlobCorrupt or BlobStoreUnavailable.
        """
        draft = path.with_name(f".{path.name}.part")
        try:
            with draft.open("wb") as file:
                async for chunk in self.stream(hash_):
                    await asyncio.to_thread(file.write, chunk)
            return draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    async def size(self, hash_: str) -> int | None:
        """Its length in bytes, or None where there is no such blob. Raises BlobStoreUnavailable."""
        try:
            return int((await obstore.head_async(self._store, _path(hash_)))["size"])
        except FileNotFoundError:
            return None
        except BaseError as error:
            raise _unavailable(error) from error

    async def delete(self, hash_: str) -> None:
        """Remove the blob; what is not there is as good as removed. Raises BlobStoreUnavailable."""
        try:
            await obstore.delete_async(self._store, _path(hash_))
        except FileNotFoundError:
            return
        except BaseError as error:
            raise _unavailable(error) from error

    async def hashes(self) -> AsyncIterator[Blob]:
        """Every blob of the store, in no order."""
        async for page in obstore.list(self._store):
            for item in page:
                yield Blob(str(item["path"]).rpartition("/")[2], int(item["size"]))

    async def _store_bytes(self, payload: bytes) -> Blob:
        blob = Blob(hashlib.sha256(payload).hexdigest(), len(payload))
        await self._upload(blob, payload)
        return blob

    async def _store_file(self, file: IO[bytes]) -> Blob:
        digest = await asyncio.to_thread(_digest, file)
        size = file.tell()
        file.seek(0)
        blob = Blob(digest, size)
        await self._upload(blob, file)
        return blob

    async def _upload(self, blob: Blob, payload: bytes | IO[bytes]) -> None:
        if await self.size(blob.hash) == blob.size:
            return
        try:
            await obstore.put_async(self._store, _path(blob.hash), payload)
        except BaseError as error:
            raise _unavailable(error) from error


def _digest(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _path(hash_: str) -> str:
    if not re.fullmatch("[0-9a-f]{64}", hash_):
        raise BlobMissing(f"{hash_!r} is not the hash of a blob", hash=hash_)
    return f"{hash_[:2]}/{hash_}"


def _unavailable(error: BaseError) -> BlobStoreUnavailable:
    return BlobStoreUnavailable(f"the blob store did not answer: {error}")
