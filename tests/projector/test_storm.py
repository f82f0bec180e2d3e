"""The short form of `liminal bench storm`: killed workers, a broker restarted, every event folded once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.log.own_broker import OwnBroker

from liminal.bench.storm import PARTITIONS, Plan, run_storm
from liminal.settings import Settings
from liminal.storage.master_key import load_master_key


async def test_a_storm_of_kills_loses_nothing_and_folds_nothing_twice(
    settings: Settings, tmp_path: Path
) -> None:
    broker = OwnBroker(tmp_path / "broker", settings.cache)
    broker.start()
    own = settings.model_copy(
        update={"kafka_bootstrap_servers": broker.servers, "topic": "storm", "partitions": PARTITIONS}
    )
    load_master_key(own, create=True)

    async def restart() -> None:
        broker.kill()
        await asyncio.to_thread(broker.start)

    try:
        plan = Plan(events=10_000, rate=1500, kill_every=1.5, kills=5, restarts=1)
        outcome = await run_storm(own, plan, restart)
    finally:
        broker.kill()
    assert outcome.kills >= 2
    assert (outcome.lost, outcome.twice, outcome.differing) == (0, 0, [])
    assert outcome.records >= plan.events
