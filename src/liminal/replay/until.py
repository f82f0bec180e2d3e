"""Where the log stood at a time or position, and the read models of that moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from liminal.log.position import Position
from liminal.log.read import Reader, open_reader
from liminal.projector.generation import generations
from liminal.projector.resources import Resources
from liminal.projector.scratch import ROWS, OnProgress, fold_until


@dataclass(frozen=True, slots=True)
class Replayed:
    """A schema that holds read models of the past.

    Attributes:
        schema: where its views are.
        projections: what it holds.
        positions: offset before which all is folded, by partition.
    """

    schema: str
    projections: list[str]
    positions: dict[int, int]

    @property
    def events(self) -> int:
        """Offsets folded, over all partitions."""
        return sum(self.positions.values())


async def positions_until(reader: Reader, until: Position | datetime) -> dict[int, int]:
    """The offset before which everything had happened, by partition.

    A time includes what happened at that very millisecond. A position includes its record, and of the other
    partitions what had happened by then: there is no other order between partitions than time.
    """
    first, end = await reader.bounds()
    if isinstance(until, Position):
        record = await reader.one(until)
        moment = datetime.fromtimestamp((record.timestamp + 1) / 1000, UTC)
    else:
        moment = datetime.fromtimestamp((int(until.timestamp() * 1000) + 1) / 1000, UTC)
    offsets = await reader.offsets_at(moment)
    positions = {p: max(first[p], min(offsets.get(p, end[p]), end[p])) for p in end}
    if isinstance(until, Position):
        positions[until.partition] = until.offset + 1
    return positions


async def replay_until(
    resources: Resources,
    until: Position | datetime,
    schema: str,
    names: Sequence[str] | None = None,
    on_progress: OnProgress | None = None,
) -> Replayed:
    """Fold the log up to a moment into ``schema``. Raises what ``fold_until`` and ``Reader.one`` raise."""
    async with open_reader(resources.settings) as reader:
        positions = await positions_until(reader, until)
    made = await fold_until(resources, positions, schema, names, on_progress=on_progress)
    return Replayed(schema, sorted(generation.projection for generation in made), positions)


async def replays(resources: Resources) -> list[str]:
    """Names of the schemas that hold read models of the past."""
    async with resources.pool.acquire() as connection:
        made = await generations(connection, states=["scratch"])
    return sorted({g.schema.removesuffix(ROWS) for g in made if g.schema.endswith(ROWS)})
