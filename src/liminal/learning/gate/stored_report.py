"""Reading a gate's report again: figures for everybody who may, words for whom they belong to."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal
from uuid import UUID

import orjson

from liminal.storage.blobs import BlobStore
from liminal.storage.vault import Vault

WORDS = ("prompt", "before", "after", "wanted")
"""What an example says; of a lesson it is sealed under its owner's data key."""


async def read_report(
    vault: Vault, blobs: BlobStore, blob_hash: str, *, readable: Collection[str] | Literal["all"]
) -> dict[str, Any]:
    """A stored report with the words of these owners' lessons; everybody else's are None.

    Raises BlobMissing, BlobCorrupt or BlobStoreUnavailable.
    """
    found = orjson.loads(await blobs.get(blob_hash))
    lessons = [item for item in found["examples"] if item["kind"] == "lesson"]
    owners = {item["owner"] for item in lessons}
    keys = await vault.data_keys(owners if readable == "all" else owners & set(readable))
    for item in lessons:
        key = keys.get(item["owner"])
        context = report_context(UUID(found["run_id"]), item["owner"], item["feedback_id"])
        sealed = item.pop("sealed")
        words = orjson.loads(key.open(sealed, context)) if key is not None else {}
        item.update({name: words.get(name) for name in WORDS})
    return found


def report_context(run_id: UUID, owner: str, feedback_id: str) -> bytes:
    """What is authenticated with the words of one lesson."""
    return b"\0".join((b"report", str(run_id).encode(), owner.encode(), feedback_id.encode()))
