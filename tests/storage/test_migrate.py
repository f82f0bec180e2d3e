"""Migrations run once, in order, whoever starts first; what ran may not change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from liminal.settings import Settings
from liminal.storage import migrate as module
from liminal.storage.errors import DatabaseUnavailable, MigrationError
from liminal.storage.migrate import Migration, known_migrations, migrate
from liminal.storage.postgres import Pool, connect_pool


@pytest.fixture
async def pool(settings: Settings) -> AsyncGenerator[Pool]:
    """A pool on an empty database."""
    made = await connect_pool(settings)
    yield made
    await made.close()


async def test_ten_that_start_at_once_migrate_once(settings: Settings, pool: Pool) -> None:
    ran = await asyncio.gather(*(migrate(pool) for _ in range(10)))
    known = [migration.name for migration in known_migrations()]
    assert sorted(ran, key=len) == [*([[]] * 9), known]
    assert await migrate(pool) == []


async def test_a_migration_that_changed_after_it_ran_stops_the_start(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(pool)
    first, *others = known_migrations()
    changed = Migration(first.number, first.name, first.sql + "\n-- other words")
    monkeypatch.setattr(module, "known_migrations", lambda: [changed, *others])
    with pytest.raises(MigrationError, match="changed after it ran"):
        await migrate(pool)


async def test_a_database_newer_than_the_code_stops_the_start(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(pool)
    *older, last = known_migrations()
    monkeypatch.setattr(module, "known_migrations", lambda: older)
    with pytest.raises(MigrationError, match=f"newer than this liminal.*{last.name}"):
        await migrate(pool)


async def test_a_migration_that_fails_leaves_nothing_and_those_before_it(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Migration(1, "good", "CREATE TABLE liminal.good (id int)")
    bad = Migration(2, "bad", "CREATE TABLE liminal.half (id int); SELECT * FROM liminal.nowhere")
    monkeypatch.setattr(module, "known_migrations", lambda: [good, bad])
    with pytest.raises(Exception, match="nowhere"):
        await migrate(pool)
    assert await pool.fetchval("SELECT array_agg(name) FROM liminal.migrations") == ["good"]
    assert await pool.fetchval("SELECT to_regclass('liminal.half')") is None


async def test_a_database_that_is_away_is_said_to_be_away_without_its_password(settings: Settings) -> None:
    url = "postgresql://me:a-secret@127.0.0.1:1/nowhere"
    with pytest.raises(DatabaseUnavailable) as refused:
        await connect_pool(settings.model_copy(update={"database_url": url}))
    assert "DATABASE_URL" in refused.value.message
    assert "a-secret" not in refused.value.message
