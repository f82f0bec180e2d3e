"""What a pass looks at: the evidence of an account or tenant, as the log has it at a position.

All is read in one snapshot in which the read models stand at the same offsets, so that "the log up to here"
describes the rows exactly: the same rows come from a replay to these positions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson
from asyncpg import Record

from liminal.learning.errors import ReadModelsApart
from liminal.learning.evidence.wishes import wish_table
from liminal.storage.postgres import Connection, Pool

Scope = Literal["user", "tenant"]

MOST = 10_000
"""Pieces that one pass looks at, the newest ones: what it decides has to fit into one event."""
MOST_OF_ONE = 500
"""Pieces of one person among a tenant's: whoever floods it moves the tenant's clusters no further."""
PROJECTIONS = ("clusters", "conversations", "feedback", "preferences", "settings")
PATIENCE = 200
"""Times that the read models are looked at, 50 ms apart, until they stand at the same offsets."""

_PROGRESS = """
    SELECT partition, max("offset") AS "offset", min("offset") = max("offset") AS level
    FROM {read}.progress WHERE projection = ANY($1) GROUP BY partition
"""

_PIECES = """
    SELECT * FROM (
        SELECT e.evidence_id, e.owner_id, e.tenant_id, e.kind, e.sign, e.partition, e."offset",
               CASE WHEN a.role = 'user' THEN a.content ELSE q.content END AS question,
               earlier.content AS earlier, f.text AS saying, p.statement,
               row_number() OVER (PARTITION BY e.owner_id ORDER BY e.created_at DESC, e.evidence_id) AS nth,
               e.created_at
        FROM {read}.evidence e
        LEFT JOIN {read}.messages a ON a.message_id = e.message_id
        LEFT JOIN {read}.messages q ON q.message_id = a.parent_id
        LEFT JOIN {read}.messages before ON before.message_id = q.parent_id
        LEFT JOIN {read}.messages earlier ON earlier.message_id = before.parent_id
        LEFT JOIN {read}.conversations c ON c.conversation_id = e.conversation_id
        LEFT JOIN {read}.feedback f ON f.feedback_id = e.evidence_id
        LEFT JOIN {read}.preferences p ON p.preference_id = e.evidence_id AND p.polarity <> 'dislike'
        LEFT JOIN {read}.settings o ON o.scope = 'account' AND o.subject = e.owner_id::text
        WHERE e.counts AND e.{whose} = $1 AND NOT coalesce(c.deleted, false)
            AND coalesce((o.settings ->> 'learn_from_feedback')::boolean, true)
    ) every WHERE nth <= $2 ORDER BY created_at DESC, evidence_id LIMIT $3
"""

_MEMBERS = """
    SELECT c.cluster_id, m.feedback_id FROM {read}.clusters c
    JOIN {read}.cluster_members m USING (cluster_id)
    WHERE c.owner_id = $1 AND c.ended IS NULL
"""

_LIVE = "SELECT cluster_id FROM {read}.clusters WHERE owner_id = $1 AND ended IS NULL"

_RUNS = """
    SELECT count(*)::int AS runs, count(*) FILTER (WHERE completed_at IS NULL)::int AS open,
           max(decided_at) AS last,
           (array_agg(positions ORDER BY decided_at DESC, run_id))[1] AS positions
    FROM {read}.clustering_runs WHERE owner_id = $1
"""

_FRESH = """
    SELECT count(*)::int AS fresh, min(created_at) AS since FROM {read}.evidence e
    WHERE e.{whose} = $1 AND e."offset" >= coalesce(($2::text::jsonb ->> e.partition::text)::bigint, 0)
"""

_EVERY = "SELECT count(*)::int FROM {read}.evidence e WHERE e.{whose} = $1 AND e.counts"


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of evidence as a point.

    Attributes:
        question: what the answer that it is about was asked for; None for a preference.
        saying: the words of a remark or of a preference; None for a thumb or a correction.
    """

    id: UUID
    owner: UUID
    kind: str
    sign: int
    question: str | None
    saying: str | None

    @property
    def texts(self) -> list[str]:
        """What of it is embedded, one or two texts."""
        return [text for text in (self.question, self.saying) if text]


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a pass is due: how many have been, whether one is not finished, and what is new since."""

    runs: int
    open: int
    last: datetime | None
    positions: Mapping[int, int]
    fresh: int
    since: datetime | None
    every: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a pass is a function of, besides policy and encoder.

    Attributes:
        positions: offset before which all is in it, by partition.
        pieces: in order of their ids.
        clusters: members of each living cluster by its id.
    """

    scope: Scope
    subject: str
    standing: Standing
    positions: Mapping[int, int]
    pieces: Sequence[Piece]
    clusters: Mapping[UUID, frozenset[UUID]]


async def read_standing(pool: Pool | Connection, scope: Scope, subject: str, read: str = "read") -> Standing:
    """What is new of an account or tenant since its last pass."""
    names = {"read": read, "whose": _whose(scope)}
    runs = await pool.fetchrow(_RUNS.format(**names), subject)
    assert runs is not None
    positions: dict[str, int] = orjson.loads(runs["positions"]) if runs["positions"] else {}
    written = orjson.dumps(positions).decode()
    fresh = await pool.fetchrow(_FRESH.format(**names), _key(scope, subject), written)
    assert fresh is not None
    return Standing(
        runs["runs"],
        runs["open"],
        runs["last"],
        {int(partition): offset for partition, offset in positions.items()},
        fresh["fresh"],
        fresh["since"],
        await pool.fetchval(_EVERY.format(**names), _key(scope, subject)),
    )


async def read_snapshot(pool: Pool, scope: Scope, subject: str) -> Snapshot:
    """The evidence of an account or tenant now. Raises ReadModelsApart when a read model stays behind."""
    for _ in range(PATIENCE):
        async with (
            pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            rows = await connection.fetch(_PROGRESS.format(read="read"), list(PROJECTIONS))
            snapshot = await snapshot_in(
                connection, scope, subject, {r["partition"]: r["offset"] for r in rows}
            )
            if all(row["level"] for row in rows if row["partition"] in snapshot.positions):
                return snapshot
        await asyncio.sleep(0.05)
    raise ReadModelsApart("The read models that clustering needs stand at different offsets; see lag.")


async def snapshot_in(
    connection: Connection, scope: Scope, subject: str, positions: Mapping[int, int], read: str = "read"
) -> Snapshot:
    """The evidence as the views of a schema have it, which hold the log before ``positions``."""
    names = {"read": read, "whose": _whose(scope)}
    most = MOST if scope == "user" else MOST_OF_ONE
    rows = await connection.fetch(_PIECES.format(**names), _key(scope, subject), most, MOST)
    clusters: dict[UUID, set[UUID]] = {
        row["cluster_id"]: set() for row in await connection.fetch(_LIVE.format(**names), subject)
    }
    for row in await connection.fetch(_MEMBERS.format(**names), subject):
        clusters[row["cluster_id"]].add(row["feedback_id"])
    wanted = {row["partition"] for row in rows} if scope == "user" else set(positions)
    return Snapshot(
        scope,
        subject,
        await read_standing(connection, scope, subject, read),
        {partition: positions[partition] for partition in sorted(wanted)},
        sorted(filter(None, map(_piece, rows)), key=lambda piece: piece.id),
        {identity: frozenset(members) for identity, members in clusters.items()},
    )


def _whose(scope: Scope) -> str:
    return "owner_id" if scope == "user" else "tenant_id"


def _key(scope: Scope, subject: str) -> Any:
    return UUID(subject) if scope == "user" else subject


def _piece(row: Record) -> Piece | None:
    """A point, unless there is nothing to embed: the words are erased, or the wish is an act without any."""
    if row["kind"] == "preference":
        question, saying = None, row["statement"]
    else:
        question = row["question"]
        saying = row["saying"] if row["kind"] in ("note", "always", "never") else None
        # "shorter, please" is about the question before it
        if question and row["earlier"] and wish_table().read(question, follow_up=True):
            question = row["earlier"]
    if not (question or saying):
        return None
    return Piece(row["evidence_id"], row["owner_id"], row["kind"], row["sign"], question, saying)
