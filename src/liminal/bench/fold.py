"""Catching up: a log of encrypted messages folded into all read models on one connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated

import orjson
import psutil
import typer

from liminal.bench.figures import Figure, Json, report
from liminal.bench.ground import ground, projector_process, services
from liminal.bench.progress import progress_bar
from liminal.bench.traffic import Traffic, fill
from liminal.log.log import Log
from liminal.projector.batch import decode_batch
from liminal.projector.garbage import collected_seldom
from liminal.projector.generation import generations
from liminal.projector.reader import BATCH, POLL_MS, ahead, end_offsets, open_consumer
from liminal.projector.resources import Resources, open_resources
from liminal.projector.scratch import folded
from liminal.projector.session import connect
from liminal.settings import Settings

POLL = 0.02
"""Seconds between looks at how far the projector is."""
PARTITIONS = 4

BARE = "bare"
"""Schema of the baseline: the tables and indexes of the read models that a message has rows in."""
BARE_INSERTS = (
    """
    INSERT INTO messages
    SELECT
        message_id, conversation_id, _owner, _tenant, parent_id, role, content, turn_id, client_id,
        edited_from, regenerated_from, assistant_message_id, status, options, attachments, trace, citations,
        usage, _time, _partition, _offset
    FROM jsonb_to_recordset($1::jsonb) AS e (
        _partition int, _offset bigint, _time timestamptz, _owner uuid, _tenant text, message_id uuid,
        conversation_id uuid, parent_id uuid, role text, content text, turn_id uuid, client_id uuid,
        edited_from uuid, regenerated_from uuid, assistant_message_id uuid, status text, options jsonb,
        attachments jsonb, trace jsonb, citations jsonb, usage jsonb
    )
    """,
    """
    INSERT INTO _requests
    SELECT
        turn_id, conversation_id, _owner, _tenant, 'message', message_id, assistant_message_id, NULL, _time,
        _offset
    FROM jsonb_to_recordset($1::jsonb) AS e (
        _offset bigint, _time timestamptz, _owner uuid, _tenant text, turn_id uuid, conversation_id uuid,
        message_id uuid, assistant_message_id uuid
    )
    """,
)
READING = {"message.posted": (("_tenant", "ce_tenant"), ("_time", "ce_time"))}


def fold(
    events: Annotated[int, typer.Option(help="Messages on the log; a million for the figures.")] = 200_000,
    json: Json = False,
) -> None:
    """Fold a log of encrypted messages into every read model with one worker on one connection.

    The baseline reads and decodes the same records and inserts the same rows into the same tables, a batch a
    transaction: no checkpoint, no conflicts, no counters. Memory is the worker's largest resident set.
    """
    with services() as settings:
        report(asyncio.run(_measure(settings, events)), json)


async def _measure(settings: Settings, events: int) -> list[Figure]:
    async with ground(settings, partitions=PARTITIONS) as own:
        async with Log.open(own) as log:
            with progress_bar("appending") as bar:
                await fill(log, Traffic(), events, bar)
        async with open_resources(own) as resources:
            bare = await _bare(resources)
            caught_up = await _catch_up(resources, events)
    return [
        Figure(name="catch-up fold, one connection", value=caught_up.rate, unit="ev/s")
        .at_least(30_000)
        .against(bare),
        Figure(name="its share of a bare insert", value=caught_up.rate / bare, unit="of 1").at_least(0.6),
        Figure(name="projector's memory, largest", value=caught_up.memory, unit="MiB").at_most(400),
        Figure(name="projector's memory, growth of second half", value=caught_up.growth, unit="MiB"),
    ]


@dataclass(frozen=True, slots=True)
class _CatchUp:
    rate: float
    memory: float
    growth: float


async def _catch_up(resources: Resources, events: int) -> _CatchUp:
    async with resources.pool.acquire() as connection:
        living = await generations(connection, states=["live"])
    sizes: list[float] = []
    first: tuple[float, int] | None = None
    async with projector_process(resources.settings) as process:
        watched = psutil.Process(process.pid)
        with progress_bar("folding") as bar:
            done, now = 0, 0.0
            while done < events:
                await asyncio.sleep(POLL)
                done, now = await folded(resources, living), time.perf_counter()
                sizes.append(watched.memory_info().rss / 2**20)
                bar(done, events)
                if first is None and done:
                    first = (now, done)
    assert first is not None
    half = len(sizes) // 2
    growth = max(sizes[half:]) - max(sizes[:half])
    return _CatchUp((events - first[1]) / (now - first[0]), max(sizes), growth)


async def _bare(resources: Resources) -> float:
    """Events a second of the plainest thing that could be done with the same records."""
    ends = await end_offsets(resources.settings, range(PARTITIONS))
    connection = await connect(resources.settings)
    try:
        await connection.execute(f"CREATE SCHEMA {BARE}; SET search_path = {BARE}, public")
        for name in ("conversations", "turns"):
            definition = resources.definitions[name]
            await connection.execute(definition.tables + definition.indexes)
        began = time.perf_counter()
        async with collected_seldom():
            async for payload in ahead(_payloads(resources, ends)):
                async with connection.transaction():
                    for insert in BARE_INSERTS:
                        await connection.execute(insert, payload)
        return sum(ends.values()) / (time.perf_counter() - began)
    finally:
        await connection.execute(f"DROP SCHEMA IF EXISTS {BARE} CASCADE")
        await connection.close()


async def _payloads(resources: Resources, ends: dict[int, int]) -> AsyncGenerator[bytes]:
    done = 0
    async with open_consumer(resources.settings, *ends) as consumer:
        while done < sum(ends.values()):
            found = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH)
            for tp, records in found.items():
                start, end = records[0].offset, records[-1].offset + 1
                batch = await decode_batch(resources.decoder, READING, tp.partition, start, end, records)
                done += len(records)
                yield orjson.dumps([event.row for event in batch.events if event.row])
