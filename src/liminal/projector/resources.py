"""What everything here works with: settings, a pool, and a decoder that may read what is personal."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from liminal.log.decode import Decoder
from liminal.log.errors import BrokerUnavailable
from liminal.projector.definition import Definition, load_definitions
from liminal.projector.errors import ForeignLog
from liminal.projector.generation import create_generation, free_schema, generations, lead_views_to
from liminal.projector.session import connect, install
from liminal.settings import Settings
from liminal.storage.migrate import migrate
from liminal.storage.notify import Listener
from liminal.storage.postgres import Pool, connect_pool
from liminal.storage.vault import Vault

LOCK = "SELECT pg_advisory_xact_lock(hashtext('liminal.generations'))"
"""Held by whoever makes, switches or drops generations."""

NOTIFY = """
SELECT pg_notify('liminal_progress', format('%s %s %s', g.projection, c.partition, c.position))
FROM liminal.checkpoints c JOIN liminal.generations g ON g.id = c.generation_id WHERE g.id = $1
"""
"""Tells waiters where a generation stands."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What everything here works with.

    Attributes:
        settings: addresses and the topic.
        pool: connections for reading and for commands; folding has connections of its own.
        decoder: turns records into events, with the keys of the vault.
        definitions: the read models of projections/, by name.
    """

    settings: Settings
    pool: Pool
    decoder: Decoder
    definitions: Mapping[str, Definition]


@asynccontextmanager
async def open_resources(
    settings: Settings, definitions: Mapping[str, Definition] | None = None
) -> AsyncGenerator[Resources]:
    """Migrate the database, open the vault, and see that every projection has a generation that lives.

    Raises DatabaseUnavailable, BrokerUnavailable, MigrationError, MasterKeyError, BadDefinition, ForeignLog.
    """
    pool = await connect_pool(settings)
    try:
        await migrate(pool)
        async with Listener(settings) as listener, Vault.open(settings, pool, listener) as vault:
            known = load_definitions() if definitions is None else definitions
            await _claim_log(settings, pool)
            resources = Resources(settings, pool, Decoder(vault), known)
            await ensure_live(resources)
            yield resources
    finally:
        await pool.close()


async def ensure_live(resources: Resources) -> list[str]:
    """Give every projection that has none a live generation, empty, and its views; returns their names."""
    connection = await connect(resources.settings)
    try:
        await install(connection)
        async with connection.transaction():
            await connection.execute(LOCK)
            living = {g.projection for g in await generations(connection, states=["live"])}
            missing = [d for d in resources.definitions.values() if d.name not in living]
            for definition in missing:
                generation = await create_generation(
                    connection,
                    definition,
                    schema=await free_schema(connection, definition),
                    state="live",
                    partitions=resources.settings.partitions,
                    with_indexes=True,
                )
                await lead_views_to(connection, generation, None)
                # whoever waits may have heard of an earlier generation that was further
                await connection.execute(NOTIFY, generation.id)
            return [definition.name for definition in missing]
    finally:
        await connection.close()


async def _claim_log(settings: Settings, pool: Pool) -> None:
    """Tie these read models to this log, or refuse: offsets of one log mean nothing in another."""
    cluster = await _cluster_id(settings)
    await pool.execute(
        "INSERT INTO liminal.folded_log (id, cluster_id, topic, partitions) VALUES (1, $1, $2, $3) "
        "ON CONFLICT DO NOTHING",
        cluster,
        settings.topic,
        settings.partitions,
    )
    row = await pool.fetchrow("SELECT cluster_id, topic, partitions FROM liminal.folded_log")
    assert row is not None
    theirs = _log_name(row["topic"], row["partitions"], row["cluster_id"])
    ours = _log_name(settings.topic, settings.partitions, cluster)
    if theirs != ours:
        raise ForeignLog(
            f"the read models in this database were folded from {theirs}, not from {ours}; "
            "use another database",
            folded_from=theirs,
        )


def _log_name(topic: str, partitions: int, cluster: str) -> str:
    return f"topic {topic} with {partitions} partitions of the Kafka cluster {cluster}"


async def installation(pool: Pool) -> str:
    """A name for this database that no other has."""
    return str(await pool.fetchval("SELECT installation FROM liminal.folded_log"))


async def _cluster_id(settings: Settings) -> str:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    try:
        await admin.start()
        try:
            described = await admin.describe_cluster()
        finally:
            await admin.close()
    except (KafkaError, OSError) as error:
        servers = settings.kafka_bootstrap_servers
        raise BrokerUnavailable(f"no Kafka broker answers at {servers}: {error}", servers=servers) from error
    return str(described["cluster_id"])
