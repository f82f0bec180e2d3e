"""Proof that the rows are what the log says: their hash against that of a fold from the beginning."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from liminal.projector.definition import Definition
from liminal.projector.generation import Generation, definition_of, generations
from liminal.projector.hashing import combined, hash_tables
from liminal.projector.resources import Resources
from liminal.projector.scratch import OnProgress, drop_scratch, fold_aside
from liminal.projector.session import connect

POSITIONS = "SELECT partition, position FROM liminal.checkpoints WHERE generation_id = $1"
PARKED = "SELECT count(DISTINCT stream)::int FROM liminal.parked WHERE generation_id = $1"


@dataclass(frozen=True, slots=True)
class Verified:
    """What a comparison found.

    Attributes:
        projection: the read model.
        hash: of the live rows.
        equal: whether a fresh fold has the same.
        rows: how many live rows there are.
        differing: tables whose rows are not the same.
        events: offsets folded, over all partitions.
        parked: streams that wait, whose events are in neither.
    """

    projection: str
    hash: str
    equal: bool
    rows: int
    differing: list[str]
    events: int
    parked: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    generation: Generation
    definition: Definition
    positions: Mapping[int, int]
    tables: Mapping[str, tuple[str, int]]
    parked: int


async def hash_live(resources: Resources, names: Sequence[str] | None = None) -> dict[str, str]:
    """One hash over all rows of each live read model, each at its own checkpoints."""
    return {
        shot.generation.projection: combined({t: h for t, (h, _) in shot.tables.items()})
        for shot in await _snapshots(resources, names)
    }


async def verify(
    resources: Resources,
    names: Sequence[str] | None = None,
    *,
    side_by_side: bool = True,
    on_progress: OnProgress | None = None,
) -> list[Verified]:
    """Fold the log again, aside, to where the live read models stand, and compare every table's hash.

    The fresh fold uses the definition that the live generation was made from, and takes the partitions side
    by side, or one after the other.
    """
    results: list[Verified] = []
    pending = await _snapshots(resources, names)
    while pending:
        # those that stand at the same place are folded together
        positions = pending[0].positions
        together = [shot for shot in pending if shot.positions == positions]
        pending = [shot for shot in pending if shot.positions != positions]
        schema = f"verify_{secrets.token_hex(4)}"
        definitions = [shot.definition for shot in together]
        await fold_aside(
            resources, definitions, positions, schema, side_by_side=side_by_side, on_progress=on_progress
        )
        results.extend(await _compare(resources, together, positions, schema))
    return sorted(results, key=lambda result: result.projection)


async def _compare(
    resources: Resources,
    shots: Sequence[_Snapshot],
    positions: Mapping[int, int],
    schema: str,
) -> list[Verified]:
    try:
        connection = await connect(resources.settings)
        try:
            async with connection.transaction():
                fresh = await hash_tables(connection, schema)
        finally:
            await connection.close()
    finally:
        await drop_scratch(resources, schema)
    return [_result(shot, fresh, positions) for shot in shots]


def _result(shot: _Snapshot, fresh: Mapping[str, tuple[str, int]], positions: Mapping[int, int]) -> Verified:
    differing = [name for name, found in shot.tables.items() if fresh.get(name) != found]
    return Verified(
        projection=shot.generation.projection,
        hash=combined({name: found for name, (found, _) in shot.tables.items()}),
        equal=not differing,
        rows=sum(rows for _, rows in shot.tables.values()),
        differing=differing,
        events=sum(positions.values()),
        parked=shot.parked,
    )


async def _snapshots(resources: Resources, names: Sequence[str] | None) -> list[_Snapshot]:
    """Rows and checkpoints of one moment, while the projector goes on."""
    connection = await connect(resources.settings)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return [
                _Snapshot(
                    generation,
                    await definition_of(connection, generation),
                    {
                        row["partition"]: row["position"]
                        for row in await connection.fetch(POSITIONS, generation.id)
                    },
                    await hash_tables(connection, generation.schema),
                    await connection.fetchval(PARKED, generation.id),
                )
                for generation in await generations(connection, states=["live"], names=names)
            ]
    finally:
        await connection.close()
