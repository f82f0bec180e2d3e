"""Forward-only migrations of the schemas that are not derived from the log: ``vault`` and ``liminal``.

``migrations/NNNN_name.sql`` runs once, in order of its number, each in a transaction of its own; what has
run is written down with its digest in ``liminal.migrations``, and a changed file stops the start.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise

from liminal.storage.errors import MigrationError
from liminal.storage.postgres import Connection, Pool

LOCK = 0x6C696D69
"""Advisory lock that one process at a time holds while it migrates."""

BOOK = """
CREATE SCHEMA IF NOT EXISTS liminal;
CREATE TABLE IF NOT EXISTS liminal.migrations (
    number     int PRIMARY KEY,
    name       text NOT NULL,
    digest     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of migrations/."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """SHA-256 of the file in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def known_migrations() -> list[Migration]:
    """The migrations of this liminal in order. Raises MigrationError for a bad or doubled number."""
    found: list[Migration] = []
    for file in resources.files("liminal.storage").joinpath("migrations").iterdir():
        if file.name.endswith(".sql"):
            match = re.fullmatch(r"(\d{4})_([a-z0-9_]+)\.sql", file.name)
            if match is None:
                raise MigrationError(f"{file.name} is not named NNNN_name.sql")
            found.append(Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
    found.sort(key=lambda migration: migration.number)
    for first, second in pairwise(found):
        if first.number == second.number:
            raise MigrationError(f"{first.name} and {second.name} both have number {first.number}")
    return found


async def migrate(pool: Pool) -> list[str]:
    """Run what has not run yet; returns the names. Safe to call from many processes at once.

    Raises MigrationError when the database holds a migration that is unknown or differs from ours.
    """
    async with pool.acquire() as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        try:
            return await _run_missing(connection, known_migrations())
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)


async def _run_missing(connection: Connection, known: list[Migration]) -> list[str]:
    await connection.execute(BOOK)
    rows = await connection.fetch("SELECT number, name, digest FROM liminal.migrations ORDER BY number")
    by_number = {migration.number: migration for migration in known}
    applied: set[int] = set()
    for row in rows:
        ours = by_number.get(row["number"])
        if ours is None:
            raise MigrationError(
                f"the database is newer than this liminal: it holds migration {row['number']} {row['name']}",
                number=row["number"],
            )
        if ours.digest != row["digest"]:
            raise MigrationError(
                f"migration {ours.number} {ours.name} changed after it ran; add a new one instead",
                number=ours.number,
            )
        applied.add(ours.number)
    missing = [migration for migration in known if migration.number not in applied]
    for migration in missing:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO liminal.migrations (number, name, digest) VALUES ($1, $2, $3)",
                migration.number,
                migration.name,
                migration.digest,
            )
    return [migration.name for migration in missing]
