"""Backup and restore of what is not derived: the log, the vault and the blobs.

Read models are folded from the log again. The master key is not in the backup: keep a copy of it elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from liminal.errors import LiminalError
from liminal.log.exporting import export_log
from liminal.log.importing import Import
from liminal.log.look import span
from liminal.log.producer import Producer
from liminal.log.read import Filter, open_reader
from liminal.log.topic import ensure_topic
from liminal.settings import Settings
from liminal.storage.blobs import BlobStore
from liminal.storage.migrate import migrate
from liminal.storage.notify import Listener
from liminal.storage.postgres import Pool, connect_pool
from liminal.storage.vault import Vault

FORMAT = "liminal.backup.v1"
MANIFEST, LOG, VAULT, BLOBS = "manifest.json", "log.jsonl", "vault", "blobs"
IN_USE = ("data_keys", "credentials")
"""Tables whose rows say that somebody works with this installation already."""
OF_THE_INSTALLATION = "master_key"
"""Says which master key the vault was made with; it is compared, not restored."""

# in the order in which they were made, so that what is referred to comes first
_TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'vault' AND c.relkind = 'r' ORDER BY c.oid
"""

Meter = Callable[[str, int | None], Any]


class BackupError(LiminalError):
    """A folder can't be written to, read from, or restored into this installation."""

    code = "backup_error"


@dataclass(frozen=True, slots=True)
class Done:
    """What was written or read."""

    events: int
    tables: dict[str, int]
    blobs: int


async def backup(settings: Settings, folder: Path, meter: Meter) -> Done:
    """Write log, vault and blobs into a new folder; the stack may run meanwhile.

    The log is taken up to where it ends before the vault is read, so that no event is without its key, and
    the blobs are read last, so that none is missing that an event names. Raises BackupError.
    """
    _begin(folder)
    async with open_reader(settings) as reader:
        start, end = await span(reader, Filter(), None)
    pool = await connect_pool(settings, max_size=2)
    try:
        tables = await _dump(pool, folder / VAULT)
        fingerprint = await pool.fetchval("SELECT fingerprint FROM vault.master_key")
    finally:
        await pool.close()
    async with open_reader(settings) as reader:
        with (folder / LOG).open("wb") as out, meter("log", sum(end[p] - start[p] for p in end)) as bar:
            events = await export_log(
                reader, Filter(), start, end, out, decrypt_with=None, keys_from=None, advance=bar.advance
            )
    blobs = 0
    store = BlobStore.open(settings)
    async for blob in store.hashes():
        await store.save(blob.hash, folder / BLOBS / blob.hash)
        blobs += 1
    about = {"format": FORMAT, "events": events, "tables": tables, "blobs": blobs}
    (folder / MANIFEST).write_bytes(orjson.dumps(about | {"master_key": fingerprint.hex()}))
    return Done(events, tables, blobs)


async def restore(settings: Settings, folder: Path, meter: Meter) -> Done:
    """Bring a backup into a fresh installation with the same master key. Raises BackupError.

    An interrupted restore can be run again: what is there already is passed over.
    """
    try:
        about = orjson.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise BackupError(f"{folder} holds no whole backup: {error}", folder=str(folder)) from error
    if about.get("format") != FORMAT:
        raise BackupError(f"{folder} was made by another version: {about.get('format')}")
    async with AsyncExitStack() as stack:
        pool = await connect_pool(settings, max_size=4)
        stack.push_async_callback(pool.close)
        await migrate(pool)
        listener = await stack.enter_async_context(Listener(settings))
        vault = await stack.enter_async_context(Vault.open(settings, pool, listener))
        fingerprint = await pool.fetchval("SELECT fingerprint FROM vault.master_key")
        if fingerprint.hex() != about["master_key"]:
            raise BackupError(
                "this installation has another master key; set LIMINAL_MASTER_KEY, or put the old master.key "
                "into the new home before its first start"
            )
        store = BlobStore.open(settings)
        for file in sorted((folder / BLOBS).iterdir()):
            if (await store.put(file)).hash != file.name:
                raise BackupError(f"the blob {file.name} is not what its name says", blob=file.name)
        await _load(pool, folder / VAULT, about["tables"])
        await ensure_topic(settings)
        producer = Producer(settings)
        await producer.start()
        stack.push_async_callback(producer.stop)
        reader = await stack.enter_async_context(open_reader(settings))
        done = await Import(settings, folder / LOG, reader, producer, vault).run(meter)
    return Done(done.written + done.held, about["tables"], about["blobs"])


def _begin(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty", folder=str(folder))
    (folder / VAULT).mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / BLOBS).mkdir(exist_ok=True)


async def _dump(pool: Pool, folder: Path) -> dict[str, int]:
    """Every table of the vault as binary COPY, as of one moment."""
    counts: dict[str, int] = {}
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        for row in await connection.fetch(_TABLES):
            name = row["relname"]
            if name != OF_THE_INSTALLATION:
                status = await connection.copy_from_table(
                    name, schema_name="vault", output=folder / name, format="binary"
                )
                counts[name] = int(status.rsplit(" ", 1)[1])
    return counts


async def _load(pool: Pool, folder: Path, counts: dict[str, int]) -> None:
    async with pool.acquire() as connection, connection.transaction():
        known = [row["relname"] for row in await connection.fetch(_TABLES)]
        if unknown := sorted(set(counts) - set(known)):
            raise BackupError(f"the backup has tables that are not known here: {', '.join(unknown)}")
        before = {name: await _count(connection, name) for name in counts}
        if before == counts:
            return  # an earlier restore came this far
        if any(before[name] for name in IN_USE if name in before):
            raise BackupError("this installation has accounts or keys already; restore into a fresh one")
        names = ", ".join(f"vault.{name}" for name in counts)
        await connection.execute(f"TRUNCATE {names}")
        for name in (table for table in known if table in counts):
            await connection.copy_to_table(name, schema_name="vault", source=folder / name, format="binary")


async def _count(connection: asyncpg.pool.PoolConnectionProxy[Any], name: str) -> int:
    return await connection.fetchval(f"SELECT count(*) FROM vault.{name}")
