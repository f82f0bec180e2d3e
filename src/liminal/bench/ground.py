"""Where a benchmark runs: real services, and inside them a database and a topic that are gone afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator, Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from liminal.logging import configure_logging
from liminal.projector.rebuild import plain_settings
from liminal.settings import SERVICE_VARIABLES, NoStack, Settings, read_settings
from liminal.stack.embedded import embedded_services


@contextlib.contextmanager
def services() -> Generator[Settings]:
    """Settings of the stack that runs, or of one started in a temporary folder for the block."""
    settings = read_settings()
    # standard output is for figures
    configure_logging(settings, "bench")
    try:
        yield settings.resolve()
        return
    except NoStack:
        pass
    with tempfile.TemporaryDirectory(prefix="liminal-bench-") as folder:
        own = settings.model_copy(update={"home": Path(folder) / "home"})
        with embedded_services(own) as started:
            yield own.model_copy(update={name: getattr(started, name) for name in SERVICE_VARIABLES})


@contextlib.asynccontextmanager
async def ground(settings: Settings, *, partitions: int) -> AsyncGenerator[Settings]:
    """Settings with a database, a topic and a home of the benchmark's own, all removed afterwards."""
    name = f"bench_{secrets.token_hex(4)}"
    await _execute(settings.database_url, f'CREATE DATABASE "{name}"')
    with tempfile.TemporaryDirectory(prefix="liminal-bench-") as folder:
        try:
            yield settings.model_copy(
                update={
                    "home": Path(folder),
                    "database_url": urlunsplit(urlsplit(settings.database_url)._replace(path=f"/{name}")),
                    "topic": f"bench.{name}",
                    "partitions": partitions,
                }
            )
        finally:
            await _delete_topic(settings, f"bench.{name}")
            await _execute(settings.database_url, f'DROP DATABASE "{name}" WITH (FORCE)')


@contextlib.asynccontextmanager
async def projector_process(settings: Settings) -> AsyncGenerator[asyncio.subprocess.Process]:
    """``liminal projector`` as it runs in a stack, ended in order with the block."""
    process = await start_projector(settings)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def start_projector(settings: Settings, instance: str = "bench") -> asyncio.subprocess.Process:
    """Start ``liminal projector`` on these settings, under this name."""
    return await start_process(settings, "liminal.cli", "projector", "--instance", instance)


async def start_process(
    settings: Settings, module: str, *arguments: str, descriptors: Sequence[int] = (), **environment: str
) -> asyncio.subprocess.Process:
    """Start ``python -m module arguments`` on these settings; it inherits ``descriptors``."""
    plain = plain_settings(settings)
    own = {
        "LIMINAL_HOME": plain["home"],
        "LIMINAL_TOPIC": plain["topic"],
        "LIMINAL_PARTITIONS": str(plain["partitions"]),
        "LIMINAL_MASTER_KEY": plain["master_key"],
        "LIMINAL_LOG_LEVEL": "warning",
        **{variable: plain[field] for field, variable in SERVICE_VARIABLES.items()},
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        env={**os.environ, **own, **environment},
        pass_fds=descriptors,
    )


@contextlib.asynccontextmanager
async def serving_process(
    settings: Settings, module: str, *arguments: str, descriptors: Sequence[int] = (), **environment: str
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A process of liminal, once it says that it serves; ended in order with the block.

    Raises RuntimeError when it ends before, or does not serve within a minute.
    """
    ready = settings.home / f"ready-{secrets.token_hex(4)}"
    process = await start_process(
        settings, module, *arguments, descriptors=descriptors, LIMINAL_READY_FILE=str(ready), **environment
    )
    try:
        for _ in range(600):
            if ready.exists() or process.returncode is not None:
                break
            await asyncio.sleep(0.1)
        if not ready.exists():
            raise RuntimeError(f"{module} does not serve")
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _delete_topic(settings: Settings, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        if topic in await admin.list_topics():
            await admin.delete_topics([topic])
    finally:
        await admin.close()
