"""Generations: the schemas in Postgres that hold one version of a read model, its rows and its folds.

The folds are stored as functions beside the tables, so that a generation goes on being folded the way it was
made, whatever its folder has become since.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import asyncpg
import orjson

from liminal.log.events import event_class
from liminal.projector.definition import SPECIAL, VERDICT, Definition
from liminal.projector.errors import BadDefinition, NoGeneration
from liminal.storage.postgres import Connection

State = Literal["building", "ready", "live", "previous", "scratch"]

STREAMS = """
CREATE TABLE _streams (
    owner   text NOT NULL,
    stream  text NOT NULL,
    version int NOT NULL,
    PRIMARY KEY (owner, stream)
);
CREATE FUNCTION "_accept" (jsonb) RETURNS void LANGUAGE plpgsql SET search_path = {path} AS $fold$ BEGIN
INSERT INTO _streams AS s (owner, stream, version)
SELECT owner, stream, version FROM jsonb_to_recordset($1::jsonb) AS e (owner text, stream text, version int)
ON CONFLICT (owner, stream) DO UPDATE SET version = excluded.version;
END $fold$
"""

FUNCTION = """
CREATE FUNCTION {name} (jsonb) RETURNS void LANGUAGE plpgsql SET search_path = {path} AS $fold$ BEGIN
{statement};
END $fold$
"""

COLUMNS = "id, projection, version, schema, state, digest, folds, barriers"

VIEWS_ON = """
SELECT DISTINCT v.relname
FROM pg_depend d
JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
JOIN pg_class v ON v.oid = r.ev_class AND v.relnamespace = to_regnamespace($2)
JOIN pg_class t ON t.oid = d.refobjid AND d.refclassid = 'pg_class'::regclass
WHERE t.relnamespace = to_regnamespace($1)
"""

TABLES = """
SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = to_regnamespace($1) AND c.relkind = 'r'
GROUP BY c.relname ORDER BY c.relname
"""


@dataclass(frozen=True)
class Generation:
    """One schema of one version of a projection.

    Attributes:
        id: its key in ``liminal.generations``.
        projection: name of the projection.
        version: the version that it is of.
        schema: where its tables and folds are; a scratch schema may hold several projections.
        state: what it is for now.
        digest: of the definition that it was made from.
        folds: event types that it folds, and ``_any`` and ``_verdict``, each with the columns of the envelope
            that it asks for.
        barriers: event types that nothing may be folded across.
    """

    id: int
    projection: str
    version: int
    schema: str
    state: State
    digest: str
    folds: Mapping[str, frozenset[str]]
    barriers: frozenset[str]

    def function(self, fold: str) -> str:
        """The qualified, quoted name of the function of one fold."""
        return f"{quoted(self.schema)}.{quoted(f'{self.projection} {fold}')}"

    @cached_property
    def categories(self) -> frozenset[str]:
        """Categories of the streams that it folds."""
        return frozenset[str]().union(
            *(event_class(kind).categories() for kind in self.folds.keys() - SPECIAL)
        )

    @property
    def judges(self) -> bool:
        """Whether it knows the version of every stream, and so what is accepted."""
        return VERDICT in self.folds


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def search_path(schema: str) -> str:
    """Where unqualified names of a definition lead; ``public`` holds the vector type."""
    return f"{quoted(schema)}, public"


def _generation(row: asyncpg.Record) -> Generation:
    values: dict[str, Any] = dict(row)
    folds: dict[str, list[str]] = orjson.loads(row["folds"])
    values["folds"] = {fold: frozenset(columns) for fold, columns in folds.items()}
    values["barriers"] = frozenset(row["barriers"])
    return Generation(**values)


async def create_generation(
    connection: Connection,
    definition: Definition,
    *,
    schema: str,
    state: State,
    partitions: int,
    with_indexes: bool,
) -> Generation:
    """Make the tables and folds of a definition in ``schema``, at position 0 of every partition.

    Call it inside a transaction. The schema is made when it is absent.
    """
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
    await connection.execute(f"SET LOCAL search_path = {search_path(schema)}")
    if VERDICT in definition.folds:
        await connection.execute(STREAMS.format(path=search_path(schema)))
    await connection.execute(definition.tables)
    if with_indexes and definition.indexes:
        await connection.execute(definition.indexes)
    row = await connection.fetchrow(
        "INSERT INTO liminal.generations "
        "(projection, version, schema, state, digest, folds, barriers, definition) "
        f"VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7, $8::text::jsonb) RETURNING {COLUMNS}",
        definition.name,
        definition.version,
        schema,
        state,
        definition.digest,
        orjson.dumps(definition.columns).decode(),
        sorted(definition.barriers),
        definition.as_json(),
    )
    assert row is not None
    generation = _generation(row)
    await _create_folds(connection, generation, definition)
    await connection.execute("SET LOCAL search_path = DEFAULT")
    await connection.execute(
        "INSERT INTO liminal.checkpoints (generation_id, partition, live) "
        "SELECT $1, partition, $2 FROM generate_series(0, $3 - 1) AS partition",
        generation.id,
        state == "live",
        partitions,
    )
    return generation


async def _create_folds(connection: Connection, generation: Generation, definition: Definition) -> None:
    for fold, statement in definition.folds.items():
        name, path = generation.function(fold), search_path(generation.schema)
        try:
            await connection.execute(FUNCTION.format(name=name, path=path, statement=statement))
            # a function's body is looked at when it first runs
            await connection.execute(f"SELECT {name}('[]')")
        except asyncpg.PostgresError as error:
            raise BadDefinition(f"{definition.name}/folds/{fold}.sql: {error}") from error


async def definition_of(connection: Connection, generation: Generation) -> Definition:
    """The definition that a generation was made from."""
    text = await connection.fetchval(
        "SELECT definition FROM liminal.generations WHERE id = $1", generation.id
    )
    return Definition.from_json(text)


async def build_indexes(connection: Connection, generation: Generation) -> None:
    """Make the indexes that a rebuild left for the end, and tell the planner what is there."""
    definition = await definition_of(connection, generation)
    await connection.execute(f"SET LOCAL search_path = {search_path(generation.schema)}")
    if definition.indexes:
        await connection.execute(definition.indexes)
    for row in await connection.fetch(TABLES, quoted(generation.schema)):
        await connection.execute(f"ANALYZE {quoted(row['name'])}")
    await connection.execute("SET LOCAL search_path = DEFAULT")


async def drop_generation(connection: Connection, generation: Generation) -> None:
    """Drop a generation with its rows, unless another shares its schema; its row and checkpoints go too."""
    await connection.execute("DELETE FROM liminal.generations WHERE id = $1", generation.id)
    shared = await connection.fetchval(
        "SELECT count(*) FROM liminal.generations WHERE schema = $1", generation.schema
    )
    if not shared:
        await connection.execute(f"DROP SCHEMA IF EXISTS {quoted(generation.schema)} CASCADE")


async def free_schema(connection: Connection, definition: Definition) -> str:
    """A schema name for a new generation: ``conversations_v1``, else ``conversations_v1_2`` and so on."""
    base = f"{definition.name}_v{definition.version}"
    number = 1
    while True:
        name = base if number == 1 else f"{base}_{number}"
        if not await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", quoted(name)):
            return name
        number += 1


async def generations(
    connection: Connection, *, states: Sequence[State] | None = None, names: Iterable[str] | None = None
) -> list[Generation]:
    """The generations in these states of these projections, by name and age; all when not given."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM liminal.generations "
        "WHERE ($1::text[] IS NULL OR state = ANY($1)) AND ($2::text[] IS NULL OR projection = ANY($2)) "
        "ORDER BY projection, id",
        None if states is None else list(states),
        None if names is None else list(names),
    )
    return [_generation(row) for row in rows]


async def generation_in(connection: Connection, name: str, *states: State) -> Generation:
    """The one generation of a projection in one of these states. Raises NoGeneration."""
    found = await generations(connection, states=states, names=[name])
    if not found:
        wanted = " or ".join(states)
        raise NoGeneration(f"{name} has no generation that is {wanted}", projection=name, wanted=wanted)
    return found[-1]


async def lead_views_to(connection: Connection, generation: Generation, old: Generation | None) -> None:
    """Let the views in ``read`` show this generation in place of the old one; inside a transaction.

    A table whose name begins with ``_`` gets no view, a column whose name does is left out, and a row of a
    table with a column ``_created`` shows once that is set. What ``views.sql`` makes itself stays as it is.
    """
    for source in filter(None, (old, generation)):
        if shown := await connection.fetch(VIEWS_ON, quoted(source.schema), "read"):
            names = ", ".join(f"read.{quoted(row['relname'])}" for row in shown)
            await connection.execute(f"DROP VIEW {names}")
    await show(connection, [generation], "read")


async def show(connection: Connection, shown: Sequence[Generation], into: str) -> None:
    """Make the views of generations in schema ``into``, where ``views.sql`` says ``read``.

    What they make themselves comes first: generations may share the schema of their tables.
    """
    for generation in shown:
        definition = await definition_of(connection, generation)
        if definition.views:
            await connection.execute(f"SET LOCAL search_path = {search_path(generation.schema)}")
            await connection.execute(re.sub(r"\bread\.", f"{quoted(into)}.", definition.views))
            await connection.execute("SET LOCAL search_path = DEFAULT")
    for schema in dict.fromkeys(generation.schema for generation in shown):
        await _show_tables(connection, schema, into)


async def _show_tables(connection: Connection, schema: str, into: str) -> None:
    shown = await connection.fetch(VIEWS_ON, quoted(schema), quoted(into))
    made = {row["relname"] for row in shown}
    for row in await connection.fetch(TABLES, quoted(schema)):
        name, columns = row["name"], row["columns"]
        if name.startswith("_") or name in made:
            continue
        visible = ", ".join(quoted(column) for column in columns if not column.startswith("_"))
        where = " WHERE _created IS NOT NULL" if "_created" in columns else ""
        await connection.execute(
            f"CREATE VIEW {quoted(into)}.{quoted(name)} AS "
            f"SELECT {visible} FROM {quoted(schema)}.{quoted(name)}{where}"
        )
