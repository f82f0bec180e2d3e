"""How far behind the log the read models are, in events and in seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from liminal.projector.reader import open_consumer
from liminal.projector.resources import Resources

CHECKPOINTS = """
SELECT g.projection, g.state, c.partition, c.position, c.fenced
FROM liminal.checkpoints c JOIN liminal.generations g ON g.id = c.generation_id
WHERE g.state IN ('live', 'building', 'ready') ORDER BY g.projection, g.id, c.partition
"""
OLDEST_WITHIN = 2.0
"""Seconds to wait for the record at a checkpoint, to see how old it is."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far one generation is behind in one partition.

    Attributes:
        projection: the read model.
        state: of the generation: live, building or ready.
        partition: the partition.
        position: offset of the next record to fold.
        end: offset after the last record of the log.
        events: offsets between the two; a few of them may be no records.
        seconds: age of the oldest record that is not folded; 0 when there is none.
        fenced: batches that came too late since the generation was made.
    """

    projection: str
    state: str
    partition: int
    position: int
    end: int
    events: int
    seconds: float
    fenced: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


async def read_lag(resources: Resources) -> list[Lag]:
    """The lag of every generation that is folded, by projection and partition. Raises BrokerUnavailable."""
    rows = await resources.pool.fetch(CHECKPOINTS)
    topic = resources.settings.topic
    partitions = sorted({row["partition"] for row in rows})
    if not partitions:
        return []
    async with open_consumer(resources.settings, *partitions) as consumer:
        found = await consumer.end_offsets([TopicPartition(topic, partition) for partition in partitions])
        ends = {tp.partition: end for tp, end in found.items()}
        behind = {
            (row["partition"], row["position"]) for row in rows if row["position"] < ends[row["partition"]]
        }
        ages = await _ages(consumer, topic, behind)
    return [
        Lag(
            projection=row["projection"],
            state=row["state"],
            partition=row["partition"],
            position=row["position"],
            end=ends[row["partition"]],
            events=max(0, ends[row["partition"]] - row["position"]),
            seconds=ages.get((row["partition"], row["position"]), 0.0),
            fenced=row["fenced"],
        )
        for row in rows
    ]


async def _ages(
    consumer: AIOKafkaConsumer, topic: str, places: Iterable[tuple[int, int]]
) -> Mapping[tuple[int, int], float]:
    """Seconds since the first record at or after each (partition, offset) was appended."""
    ages: dict[tuple[int, int], float] = {}
    for partition, offset in places:
        tp = TopicPartition(topic, partition)
        consumer.seek(tp, offset)
        found = await asyncio.wait_for(
            consumer.getmany(tp, timeout_ms=int(OLDEST_WITHIN * 1000), max_records=1), OLDEST_WITHIN + 1
        )
        for record in found.get(tp, ()):
            ages[partition, offset] = max(0.0, time.time() - record.timestamp / 1000)
    return ages
