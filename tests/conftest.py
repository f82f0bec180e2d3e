"""What every test may ask for: real services, and inside them a database, a topic and settings of its own.

The services come from DATABASE_URL, KAFKA_BOOTSTRAP_SERVERS and REDIS_URL when all three are set, else from
testcontainers when a Docker engine answers, else from the embedded stack, once a session.
"""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import structlog
from aiokafka.admin import AIOKafkaAdminClient

from liminal.log.topic import ensure_topic
from liminal.settings import SERVICE_VARIABLES, Settings, read_settings
from liminal.stack.embedded import Services, embedded_services

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache"
PARTITIONS = 4

# what a server in this process says is not the output of a command that a test runs meanwhile
structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Generator[Services]:
    """The three real services, for the whole session."""
    with contextlib.ExitStack() as stack:
        if all(os.environ.get(name) for name in SERVICE_VARIABLES.values()):
            yield Services(**{field: os.environ[name] for field, name in SERVICE_VARIABLES.items()})
        elif docker_answers():
            yield stack.enter_context(container_services())
        else:
            home = tmp_path_factory.mktemp("liminal") / "home"
            yield stack.enter_context(embedded_services(read_settings(home=home, cache=CACHE)))


@pytest.fixture
async def database_url(services: Services) -> AsyncGenerator[str]:
    """URL of a fresh database, dropped after the test."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    await _execute(services.database_url, f'CREATE DATABASE "{name}"')
    yield with_database(services.database_url, name)
    await _execute(services.database_url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def topic(services: Services) -> AsyncGenerator[str]:
    """Name of a fresh topic that keeps the log's contract, deleted after the test."""
    name = f"t.{uuid.uuid4().hex[:12]}"
    servers = services.kafka_bootstrap_servers
    await ensure_topic(read_settings(topic=name, partitions=PARTITIONS, kafka_bootstrap_servers=servers))
    yield name
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.delete_topics([name])
    await admin.close()


@pytest.fixture
def redis_url(services: Services) -> str:
    """URL of the session's Redis, shared: use keys of your own."""
    return services.redis_url


@pytest.fixture
def settings(services: Services, database_url: str, topic: str, redis_url: str, tmp_path: Path) -> Settings:
    """Settings with a database, a topic and a home of the test's own."""
    return read_settings(
        home=tmp_path / "home",
        cache=CACHE,
        database_url=database_url,
        kafka_bootstrap_servers=services.kafka_bootstrap_servers,
        redis_url=redis_url,
        topic=topic,
        partitions=PARTITIONS,
    )


def with_database(url: str, name: str) -> str:
    """The URL with another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def docker_answers() -> bool:
    """True when a Docker engine can be reached."""
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=2)
        with contextlib.closing(client):
            return bool(client.ping())
    except DockerException:
        return False


@contextlib.contextmanager
def container_services() -> Generator[Services]:
    """The images of compose.yaml, one container each."""
    from testcontainers.kafka import KafkaContainer
    from testcontainers.postgres import PostgresContainer
    from testcontainers.redis import RedisContainer

    with (
        PostgresContainer("pgvector/pgvector:0.8.5-pg18", driver=None) as postgres,
        KafkaContainer().with_kraft().with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false") as kafka,
        RedisContainer("redis:8") as redis,
    ):
        redis_port = redis.get_exposed_port(6379)
        yield Services(
            database_url=postgres.get_connection_url(),
            kafka_bootstrap_servers=kafka.get_bootstrap_server(),
            redis_url=f"redis://{redis.get_container_host_ip()}:{redis_port}/0",
        )
