"""What an operator can see and do, for the command line and the admin API alike."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import structlog

from liminal.log.log import Log
from liminal.log.position import Position
from liminal.projector.definition import choose, load_definitions
from liminal.projector.errors import RetryFailed
from liminal.projector.generation import Generation, generations
from liminal.projector.lag import Lag, read_lag
from liminal.projector.parked import ParkedStream, parked_streams
from liminal.projector.rebuild import plain_settings, plan_rebuild, read_progress
from liminal.projector.resources import Resources
from liminal.projector.retry import retry_stream
from liminal.projector.session import connect
from liminal.projector.switch import rollback, switch
from liminal.projector.verify import verify

log = structlog.get_logger(__name__)

PUBLIC_STATES = {"live": "live", "building": "building", "ready": "ready", "previous": "retired"}
FOLDED = """
SELECT generation_id, sum(position)::bigint AS events FROM liminal.checkpoints GROUP BY generation_id
"""
LAST_REBUILD = "SELECT id FROM liminal.rebuilds WHERE $1 = ANY(projections) ORDER BY id DESC LIMIT 1"


class Projections:
    """The read models of one database, described as plain dicts."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._running: set[asyncio.Task[None]] = set()

    @classmethod
    def of_log(cls, log: Log) -> Projections:
        """On the connections of an open log. Raises BadDefinition."""
        return cls(Resources(log.settings, log.pool, log.decoder, load_definitions()))

    async def list(self) -> list[dict[str, Any]]:
        """Every read model: its versions, its lag by partition, and how many of its streams are parked."""
        async with self._resources.pool.acquire() as connection:
            found = await generations(connection)
            folded = {row["generation_id"]: row["events"] for row in await connection.fetch(FOLDED)}
            parked = await parked_streams(connection)
        lags = await read_lag(self._resources)
        return [
            self._describe(name, [g for g in found if g.projection == name], lags, folded, parked)
            for name in self._resources.definitions
        ]

    async def get(self, name: str) -> dict[str, Any]:
        """One read model. Raises UnknownProjection."""
        self._check(name)
        return next(item for item in await self.list() if item["name"] == name)

    async def lag(self) -> list[Lag]:
        """How far every generation is behind, by partition."""
        return await read_lag(self._resources)

    async def rebuild(self, name: str) -> str:
        """Begin to rebuild, in a process of its own; returns the rebuild's id.

        Raises UnknownProjection and RebuildRunning.
        """
        self._check(name)
        plan = await plan_rebuild(self._resources, [name])
        job = {"settings": plain_settings(self._resources.settings), "rebuild": plan.id}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "liminal.projector.rebuilder",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        task = asyncio.create_task(_see_through(process, orjson.dumps(job)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return str(plan.id)

    async def rebuild_progress(self, name: str) -> dict[str, Any]:
        """How far the last rebuild is. Raises UnknownProjection."""
        self._check(name)
        pool = self._resources.pool
        number = await pool.fetchval(LAST_REBUILD, name)
        if number is None:
            return {"state": "none", "version": None, "done": 0, "total": 0, "rate": 0.0, "error": None}
        progress = await read_progress(self._resources, number)
        version = await pool.fetchval(
            "SELECT max(version) FROM liminal.generations WHERE projection = $1", name
        )
        return {
            "state": "ready" if progress.state == "done" else progress.state,
            "version": version,
            "done": progress.done,
            "total": progress.total,
            "rate": progress.rate,
            "error": progress.error and progress.error["message"],
        }

    async def verify(self, name: str) -> dict[str, Any]:
        """The live rows' hash, and whether a fold from the beginning gives the same.

        Raises UnknownProjection.
        """
        self._check(name)
        [result] = await verify(self._resources, [name])
        return result.as_dict()

    async def switch(self, name: str, version: int | None = None) -> dict[str, Any]:
        """Show what was rebuilt. Raises UnknownProjection, NoGeneration, SwitchBlocked."""
        self._check(name)
        await switch(self._resources, name, version)
        return await self.get(name)

    async def rollback(self, name: str) -> dict[str, Any]:
        """Show what was shown before. Raises UnknownProjection, NoGeneration, SwitchBlocked."""
        self._check(name)
        await rollback(self._resources, name)
        return await self.get(name)

    async def parked(self, name: str | None = None) -> list[dict[str, Any]]:
        """Streams that wait behind an event that could not be folded. Raises UnknownProjection."""
        if name is not None:
            self._check(name)
        return [
            {
                "projection": item.projection,
                "state": PUBLIC_STATES[item.state],
                "stream": item.stream,
                "events": item.events,
                "first_position": str(Position(item.partition, item.first_offset)),
                "type": item.type,
                "error": item.error or "",
                "parked_at": item.since.isoformat(),
            }
            for item in await parked_streams(self._resources.pool)
            if name in (None, item.projection)
        ]

    async def retry(self, name: str | None = None, stream: str | None = None) -> dict[str, Any]:
        """Fold parked streams again: one or all, of one read model or of all.

        Returns how many events are folded now and how many stay parked, and what became of each stream.
        Raises UnknownProjection.
        """
        waiting = await self.parked(name)
        streams = list(dict.fromkeys(item["stream"] for item in waiting if stream in (None, item["stream"])))
        results: list[dict[str, Any]] = []
        connection = await connect(self._resources.settings)
        try:
            for one in streams:
                try:
                    done = await retry_stream(connection, self._resources.decoder, one, name)
                    results.extend({"stream": one, **item.as_dict()} for item in done)
                except RetryFailed as error:
                    results.extend({"stream": one, **item} for item in error.details["results"])
        finally:
            await connection.close()
        folded = sum(item["events"] for item in results if item["error"] is None)
        left = await self.parked(name)
        return {"folded": folded, "parked": sum(item["events"] for item in left), "streams": results}

    def _check(self, name: str) -> None:
        choose(self._resources.definitions, [name])

    def _describe(
        self,
        name: str,
        found: Sequence[Generation],
        lags: Iterable[Lag],
        folded: Mapping[int, int],
        parked: Iterable[ParkedStream],
    ) -> dict[str, Any]:
        definition = self._resources.definitions[name]
        own = [lag for lag in lags if lag.projection == name]
        live = [lag for lag in own if lag.state == "live"]
        serving = next((g for g in found if g.state == "live"), None)
        return {
            "name": name,
            "description": definition.description,
            "live_version": serving and serving.version,
            # what lies in the folder is something else than what lives: it takes a rebuild
            "changed": serving is not None and serving.digest != definition.digest,
            "versions": [
                {
                    "version": g.version,
                    "schema_name": g.schema,
                    "state": PUBLIC_STATES[g.state],
                    "progress": _progress(own) if g.state == "building" else None,
                    "events": folded.get(g.id, 0),
                }
                for g in found
                if g.state in PUBLIC_STATES
            ],
            "lag_events": sum(lag.events for lag in live),
            "lag_seconds": max((lag.seconds for lag in live), default=0.0),
            "partitions": [
                {
                    "partition": lag.partition,
                    "offset": lag.position,
                    "end_offset": lag.end,
                    "lag_events": lag.events,
                    "lag_seconds": lag.seconds,
                }
                for lag in live
            ],
            "parked": len({item.stream for item in parked if item.projection == name}),
        }


def _progress(lags: Iterable[Lag]) -> float:
    building = [lag for lag in lags if lag.state == "building"]
    total = sum(lag.end for lag in building)
    return sum(lag.position for lag in building) / total if total else 1.0


async def _see_through(process: asyncio.subprocess.Process, job: bytes) -> None:
    """Give a process its job and wait for its end; its pipe stays open as long as we live."""
    assert process.stdin is not None
    process.stdin.write(job + b"\n")
    await process.stdin.drain()
    status = await process.wait()
    if status:
        log.warning("projections.rebuild_failed", status=status)
