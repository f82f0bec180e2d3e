"""A backup brings back the log, the vault and the blobs, and with them every word."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from liminal.log.envelope import Meta
from liminal.log.events import ConversationCreated
from liminal.log.log import Log
from liminal.log.meter import Meter
from liminal.log.read import open_reader
from liminal.settings import Settings
from liminal.stack.backup import BackupError, backup, restore
from liminal.storage.blobs import BlobStore

SAID = "what was said in confidence"


async def written(settings: Settings) -> tuple[str, str]:
    """An owner with an event, and a blob."""
    owner = str(uuid.uuid4())
    async with Log.open(settings) as log:
        conversation_id = uuid.uuid4()
        meta = Meta(owner=owner, tenant="t", actor=owner, stream=f"conversation-{conversation_id}")
        await log.append(ConversationCreated(conversation_id=conversation_id, title=SAID), meta)
    return owner, (await BlobStore.open(settings).put(b"weights")).hash


@pytest.fixture
async def fresh(settings: Settings, tmp_path: Path) -> AsyncGenerator[Settings]:
    """Another installation on another topic, whose home has the master key of the first."""
    import asyncpg

    name, topic = f"t_{uuid.uuid4().hex[:12]}", f"t.{uuid.uuid4().hex[:12]}"
    owner = await asyncpg.connect(settings.database_url)
    await owner.execute(f'CREATE DATABASE "{name}"')
    home = tmp_path / "fresh"
    home.mkdir(mode=0o700)
    url = settings.database_url.rsplit("/", 1)[0]
    yield settings.model_copy(update={"database_url": f"{url}/{name}", "topic": topic, "home": home})
    await owner.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await owner.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    await admin.delete_topics([topic])
    await admin.close()


async def test_a_restored_installation_has_every_event_key_and_blob(
    settings: Settings, fresh: Settings, tmp_path: Path
) -> None:
    owner, blob = await written(settings)
    made = await backup(settings, tmp_path / "monday", Meter)
    assert SAID.encode() not in (tmp_path / "monday" / "log.jsonl").read_bytes()
    (fresh.home / "master.key").write_bytes((settings.home / "master.key").read_bytes())
    (fresh.home / "master.key").chmod(0o600)
    for _ in range(2):  # a second time changes nothing
        assert await restore(fresh, tmp_path / "monday", Meter) == made
    assert await BlobStore.open(fresh).get(blob) == b"weights"
    async with Log.open(fresh) as log, open_reader(fresh) as reader:
        start, end = await reader.bounds()
        records = [record async for batch in reader.upto(start, end) for record in batch]
        events = await log.decoder.decode(records)
    assert [(event["_owner"], event["title"]) for event in events] == [(owner, SAID)]


async def test_another_master_key_is_refused_before_anything_is_written(
    settings: Settings, fresh: Settings, tmp_path: Path
) -> None:
    await written(settings)
    await backup(settings, tmp_path / "monday", Meter)
    with pytest.raises(BackupError, match="master key"):
        await restore(fresh, tmp_path / "monday", Meter)


async def test_an_installation_in_use_is_not_overwritten(
    settings: Settings, fresh: Settings, tmp_path: Path
) -> None:
    await written(settings)
    await backup(settings, tmp_path / "monday", Meter)
    await written(settings)
    with pytest.raises(BackupError, match="already"):
        await restore(settings, tmp_path / "monday", Meter)


async def test_what_is_no_backup_is_refused(fresh: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BackupError, match="no whole backup"):
        await restore(fresh, tmp_path / "empty", Meter)
