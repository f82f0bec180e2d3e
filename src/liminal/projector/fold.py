"""Folding one batch: first the checkpoint, then the rows, in one transaction.

The short way is one statement for the whole batch. Only when something in it can't be folded, or waits behind
what could not, is every generation folded by itself, halving the batch until the event stands alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import structlog

from liminal.log.position import Position
from liminal.projector.batch import Batch, Calls, Group, Judged, all_accepted, judge, judged_before
from liminal.projector.definition import VERDICT
from liminal.projector.errors import Fenced, NoJudge, RebuildStopped
from liminal.projector.event import Event, blocks, concerns
from liminal.projector.generation import Generation, quoted
from liminal.projector.parked import Parked, park
from liminal.projector.session import Raw, Session, is_fence, is_transient
from liminal.storage.postgres import Connection

log = structlog.get_logger(__name__)

FOLD = "SELECT liminal.fold($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb[], $11)"
RUN = "SELECT liminal.run($1, $2, $3::jsonb[])"
STREAMS = """
SELECT s.owner, s.stream, s.version FROM {schema}._streams s
JOIN unnest($1::text[], $2::text[]) AS w (owner, stream) ON s.owner = w.owner AND s.stream = w.stream
"""
JUDGE = """
SELECT g.schema, c.position FROM liminal.checkpoints c JOIN liminal.generations g ON g.id = c.generation_id
WHERE g.folds ? $1 AND c.partition = $2 ORDER BY c.position >= $3 DESC, g.state = 'live' DESC LIMIT 1
"""
VERDICTS = """
SELECT "offset", accepted, version FROM {schema}.verdicts
WHERE partition = $1 AND "offset" = ANY($2::bigint[])
"""
STANDINGS = """
SELECT c.generation_id, c.position, c.parks, ARRAY(
    SELECT DISTINCT p.stream FROM liminal.parked p
    WHERE p.generation_id = c.generation_id AND p.partition = c.partition
) AS parked
FROM liminal.checkpoints c WHERE c.generation_id = ANY($1) AND c.partition = $2
"""


@dataclass(slots=True)
class Standing:
    """How far one generation is in one partition, as this process knows it.

    Attributes:
        generation: the generation.
        position: offset of the next record to fold.
        parks: counter of changes to what is parked.
        parked: streams whose events are parked.
    """

    generation: Generation
    position: int
    parks: int = 0
    parked: set[str] = field(default_factory=set[str])


async def read_standings(
    connection: Connection, generations: Sequence[Generation], partition: int
) -> list[Standing]:
    """Where these generations stand in a partition; one that was dropped is left out."""
    by_id = {g.id: g for g in generations}
    rows = await connection.fetch(STANDINGS, list(by_id), partition)
    return [
        Standing(by_id[row["generation_id"]], row["position"], row["parks"], set(row["parked"]))
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The calls for a batch if its verdicts turn out to be ``judged``."""

    group: Group
    judged: Judged
    calls: Calls


class Folder:
    """Folds batches on one session.

    Args:
        live: whether it folds for the projector, or for a rebuild.
        strict: whether an event that can't be folded stops it (RebuildStopped) or parks its stream.
    """

    def __init__(self, session: Session, *, live: bool, strict: bool) -> None:
        self._session = session
        self._live = live
        self._strict = strict
        self._groups: dict[tuple[int, ...], Group] = {}

    def group(self, standings: Sequence[Standing]) -> Group:
        """The group of these standings' generations, the same object every time."""
        key = tuple(standing.generation.id for standing in standings)
        if key not in self._groups:
            self._groups[key] = Group([standing.generation for standing in standings])
        return self._groups[key]

    def prepare(self, standings: Sequence[Standing], batch: Batch) -> Prepared | None:
        """What the short way will most likely send, made ahead; None where that can't be told."""
        if self._needs_care(standings, batch):
            return None
        judged = all_accepted(batch)
        return Prepared(self.group(standings), judged, self.group(standings).calls(batch, judged))

    async def fold(
        self, standings: Sequence[Standing], batch: Batch, prepared: Prepared | None = None
    ) -> None:
        """Fold a batch into generations that all stand at its start, and move their standings to its end.

        Raises Fenced when another worker was faster, RebuildStopped when it is strict and met what it can't
        fold (everything before it is folded then), and DatabaseLost.
        """
        if not self._needs_care(standings, batch):
            try:
                await self._session.attempt(lambda c: self._short_way(c, standings, batch, prepared))
                return _moved(standings, batch.end)
            except asyncpg.PostgresError as error:
                # the message may quote what people wrote
                where = f"{batch.partition}:{batch.start}..{batch.end}"
                log.warning("projector.batch_failed", batch=where, sqlstate=error.sqlstate)
        if self._strict:
            await self._up_to_fault(standings, batch)
        else:
            await self._long_way(standings, batch)
        return None

    def _needs_care(self, standings: Sequence[Standing], batch: Batch) -> bool:
        for standing in standings:
            if standing.parked and any(event.stream in standing.parked for event in batch.events):
                return True
        faulty = [event for event in batch.events if event.fault is not None]
        return any(blocks(standing.generation, event) for event in faulty for standing in standings)

    async def _judge(self, connection: Raw, group: Group, batch: Batch) -> Judged:
        """Judge by the versions of the streams, or read what was judged before.

        Both are read outside the transaction: they belong to the checkpoint that liminal.fold compares.
        """
        events = batch.versioned
        if not events:
            return Judged()
        if group.judges:
            streams = {(event.owner, event.stream) for event in events}
            sql = STREAMS.format(schema=quoted(group.judges[0].schema))
            rows = await connection.fetch(sql, [s[0] for s in streams], [s[1] for s in streams])
            return judge(batch, {(row["owner"], row["stream"]): row["version"] for row in rows})
        judge_row = await connection.fetchrow(JUDGE, VERDICT, batch.partition, batch.end)
        if judge_row is None:
            raise NoJudge("no projection gives verdicts: one with folds/_verdict.sql is needed")
        if judge_row["position"] < batch.end:
            raise Fenced("the verdicts on this batch are not there yet")
        sql = VERDICTS.format(schema=quoted(judge_row["schema"]))
        rows = await connection.fetch(sql, batch.partition, [event.offset for event in events])
        return judged_before(batch, {row["offset"]: (row["accepted"], row["version"]) for row in rows})

    async def _short_way(
        self, connection: Raw, standings: Sequence[Standing], batch: Batch, prepared: Prepared | None
    ) -> None:
        group = self.group(standings)
        judged = await self._judge(connection, group, batch)
        if prepared is not None and prepared.group is group and prepared.judged.accepted == judged.accepted:
            calls = prepared.calls
        else:
            calls = group.calls(batch, judged)
        await connection.execute(FOLD, *self._arguments(standings, batch, calls, wake=self._live))

    def _arguments(
        self, standings: Sequence[Standing], batch: Batch, calls: Calls, *, wake: bool
    ) -> tuple[Any, ...]:
        return (
            [s.generation.id for s in standings],
            [s.parks for s in standings],
            self._live,
            batch.partition,
            batch.start,
            batch.end,
            batch.last_time,
            calls.functions,
            calls.payload_of,
            calls.payloads,
            [s.generation.projection for s in standings] if wake else [],
        )

    async def _long_way(self, standings: Sequence[Standing], batch: Batch) -> None:
        """Fold generation by generation, parking what fails; the checkpoint first, all in one transaction."""

        async def work(connection: Raw) -> list[set[str]]:
            async with connection.transaction():
                judged = await self._judge_and_move(connection, standings, batch)
                return [await Careful(connection, standing, batch, judged).fold() for standing in standings]

        parked = await self._session.attempt(work)
        for standing, streams in zip(standings, parked, strict=True):
            if streams - standing.parked:
                standing.parks += 1
                standing.parked |= streams
        _moved(standings, batch.end)

    async def _judge_and_move(self, connection: Raw, standings: Sequence[Standing], batch: Batch) -> Judged:
        group = self.group(standings)
        judged = await self._judge(connection, group, batch)
        calls = Calls()
        calls.add_versions(group.judges, judged.versions)
        await connection.execute(FOLD, *self._arguments(standings, batch, calls, wake=self._live))
        return judged

    async def _up_to_fault(self, standings: Sequence[Standing], batch: Batch) -> None:
        """Fold what stands before the first event that can't be folded, then stop there."""
        offset, reason = await self._session.attempt(lambda c: self._first_fault(c, standings, batch))
        if offset > batch.start:
            before = batch.between(batch.start, offset)
            await self._session.attempt(lambda c: self._short_way(c, standings, before, None))
            _moved(standings, offset)
        position = Position(batch.partition, offset)
        raise RebuildStopped(
            f"the rebuild stopped at {position}: {reason}", position=str(position), reason=reason
        )

    async def _first_fault(
        self, connection: Raw, standings: Sequence[Standing], batch: Batch
    ) -> tuple[int, str]:
        found: list[tuple[int, str]] = []
        transaction = connection.transaction()
        await transaction.start()
        try:
            judged = await self._judge_and_move(connection, standings, batch)
            for standing in standings:
                careful = Careful(connection, standing, batch, judged)
                await careful.fold()
                found.extend((event.offset, event.error) for event in careful.failed)
        finally:
            await transaction.rollback()
        if not found:  # it failed a moment ago and does not any more: the caller may try again
            raise Fenced("the batch can be folded after all")
        return min(found)


@dataclass(frozen=True, slots=True)
class Failed:
    """An event that can't be folded, and why."""

    offset: int
    error: str


class Careful:
    """Folds one batch into one generation inside a transaction, parking the streams of what fails."""

    def __init__(self, connection: Raw, standing: Standing, batch: Batch, judged: Judged) -> None:
        self._connection = connection
        self._generation = standing.generation
        self._group = Group([standing.generation])
        self._batch = batch
        self._judged = judged
        self._streams = set(standing.parked)
        self._known = frozenset(standing.parked)
        self._waiting: list[Parked] = []

    @property
    def failed(self) -> list[Failed]:
        """The events that failed themselves, not those behind them."""
        return [Failed(item.event.offset, item.error) for item in self._waiting if item.error is not None]

    async def fold(self) -> set[str]:
        """Fold what can be folded and park the rest; returns the streams that are parked now."""
        batch, generation = self._batch, self._generation
        able: list[Event] = []
        for event in batch.events:
            if event.fault is not None and blocks(generation, event):
                # what comes before it must be folded before its stream is closed
                await self._halve(able)
                able = []
                self._put_aside(event, event.fault.message)
            elif concerns(generation, event) and self._is_accepted(event):
                able.append(event)
        await self._halve(able)
        if self._waiting:
            grown = bool(self._streams - self._known)
            await park(self._connection, generation.id, batch, self._waiting, grown=grown)
        return self._streams

    def _is_accepted(self, event: Event) -> bool:
        if event.expected is None or event.offset in self._judged.accepted:
            return True
        return any(name.startswith("_") for name in self._generation.folds)

    def _put_aside(self, event: Event, error: str | None) -> None:
        if error is not None:
            self._streams.add(event.stream)
        self._waiting.append(Parked(event, self._judged.rows.get(event.offset), error))

    async def _halve(self, events: Sequence[Event]) -> None:
        free: list[Event] = []
        for event in events:
            if event.stream in self._streams:
                self._put_aside(event, None)
            else:
                free.append(event)
        error = await self._try(free) if free else None
        if error is None:
            return
        if len(free) == 1:
            log.warning("projector.parked", stream=free[0].stream, projection=self._generation.projection)
            self._put_aside(free[0], error)
        else:
            middle = len(free) // 2
            await self._halve(free[:middle])
            await self._halve(free[middle:])

    async def _try(self, events: Sequence[Event]) -> str | None:
        calls = self._group.folds_of(self._batch.partition, events, self._judged)
        try:
            async with self._connection.transaction():
                await self._connection.execute(RUN, calls.functions, calls.payload_of, calls.payloads)
        except asyncpg.PostgresError as error:
            if is_transient(error) or is_fence(error):
                raise
            return f"{error} [{error.sqlstate}] {error.context or ''}".strip()
        return None


def _moved(standings: Sequence[Standing], end: int) -> None:
    for standing in standings:
        standing.position = end
