"""The hash of a read model: equal for equal rows, whatever order they lie in on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from liminal.projector.generation import TABLES, quoted
from liminal.storage.postgres import Connection

CANONICAL = """
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = 'iso_8601';
SET LOCAL extra_float_digits = 1;
SET LOCAL bytea_output = 'hex'
"""
"""How values are written, so that a row has one text."""

ROWS = """
SELECT
    count(*),
    sum(('x' || left(h, 16))::bit(64)::bigint::numeric),
    sum(('x' || right(h, 16))::bit(64)::bigint::numeric)
FROM (SELECT md5(t::text) AS h FROM {table} t) AS hashed
"""


async def hash_tables(connection: Connection, schema: str) -> dict[str, tuple[str, int]]:
    """The hash and the row count of every table of a schema.

    The hash is SHA-256 over the table's columns, the row count, and the sums of both halves of the rows' MD5.

    Call it inside a transaction; of one that others write to, a repeatable read.
    """
    await connection.execute(CANONICAL)
    hashes: dict[str, tuple[str, int]] = {}
    for table in await connection.fetch(TABLES, quoted(schema)):
        name = f"{quoted(schema)}.{quoted(table['name'])}"
        row = await connection.fetchrow(ROWS.format(table=name))
        assert row is not None
        text = "|".join([",".join(table["columns"]), *(str(value or 0) for value in row)])
        hashes[table["name"]] = hashlib.sha256(text.encode()).hexdigest(), row[0]
    return hashes


def combined(hashes: Mapping[str, str]) -> str:
    """One hash for all tables, in hex."""
    text = "\n".join(f"{name} {hashes[name]}" for name in sorted(hashes))
    return hashlib.sha256(text.encode()).hexdigest()
