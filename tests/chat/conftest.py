"""An installation with a web server, people, and workers that answer with a tiny model of random weights."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import uvicorn
from tests.api.installation import PARTITIONS, PASSWORD, Installation, Person, install, signup
from websockets.asyncio.client import ClientConnection, connect

from liminal.settings import read_settings, variable
from liminal.stack.embedded import Services as Stack

ROOT = Path(__file__).parents[2]
START = 240
"""Seconds that a worker may take to compile its programs, the first time on a busy machine."""
MODEL = ROOT / "tests" / "parity" / "golden" / "models" / "llama"


@dataclass
class Chat:
    """An installation that listens on a port."""

    installation: Installation
    port: int

    @asynccontextmanager
    async def socket(self, person: Person) -> AsyncGenerator[Client]:
        """A socket of a client that signed in for a token."""
        body = {"email": person.email, "password": PASSWORD, "client": "api"}
        async with self.installation.client() as anonymous:
            reply = await anonymous.post("/v1/auth/login", json=body)
        assert reply.status_code == 200, reply.text
        headers = {"Authorization": f"Bearer {reply.json()['access_token']}"}
        url = f"ws://127.0.0.1:{self.port}/v1/chat/stream"
        async with connect(url, additional_headers=headers) as connection:
            yield Client(connection)

    @asynccontextmanager
    async def worker(self) -> AsyncGenerator[subprocess.Popen[bytes]]:
        """A respond worker as a process of its own, once it serves."""
        ready = self.installation.settings.home / f"ready-{uuid.uuid4().hex}"
        settings = self.installation.settings
        names = (
            "slots",
            "context",
            "home",
            "cache",
            "database_url",
            "kafka_bootstrap_servers",
            "redis_url",
            "topic",
            "model",
        )
        environment = {**os.environ, **{variable(name): str(getattr(settings, name)) for name in names}}
        environment["LIMINAL_READY_FILE"] = str(ready)
        process = subprocess.Popen(  # noqa: ASYNC220  it is waited for by its pid, and killed
            [sys.executable, "-m", "consumers.respond"], cwd=ROOT, env=environment
        )
        try:
            until = time.monotonic() + START
            while not ready.exists():
                assert process.poll() is None, "the worker ended"
                assert time.monotonic() < until, "the worker did not start"
                await asyncio.sleep(0.1)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, 15)
            process.kill()
            process.wait()


@dataclass
class Client:
    """A chat client: sends commands, reads frames."""

    connection: ClientConnection

    async def command(self, cmd: str, **fields: Any) -> None:
        """Send a command."""
        await self.connection.send(orjson.dumps({"v": 1, "cmd": cmd, **fields}).decode())

    async def frame(self, within: float = 60) -> dict[str, Any]:
        """The next frame."""
        return orjson.loads(await asyncio.wait_for(self.connection.recv(), within))

    async def until(self, *types: str) -> list[dict[str, Any]]:
        """All frames up to the first of these types."""
        frames = [await self.frame()]
        while frames[-1]["type"] not in types:
            frames.append(await self.frame())
        return frames

    async def say(self, content: str, **fields: Any) -> list[dict[str, Any]]:
        """Send a message and read the whole turn."""
        options = {"max_tokens": 24, "temperature": 1.0} | fields.pop("options", {})
        await self.command("send", client_id=str(uuid.uuid4()), content=content, options=options, **fields)
        return await self.until("message_done", "error", "cancelled")


@pytest.fixture(scope="session")
async def chat(services: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Chat]:
    """The installation of this folder, without a worker."""
    settings = read_settings(
        home=tmp_path_factory.mktemp("chat") / "home",
        cache=ROOT / ".cache",
        kafka_bootstrap_servers=services.kafka_bootstrap_servers,
        redis_url=services.redis_url,
        topic=f"t.{uuid.uuid4().hex[:12]}",
        partitions=PARTITIONS,
        rate_factor=0,
        model=str(MODEL),
        slots=2,
        context=1024,
    )
    async with install(settings, services) as installation:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            server = uvicorn.Server(uvicorn.Config(installation.app, log_level="warning", lifespan="off"))
            serving = asyncio.create_task(server.serve([listening]))
            yield Chat(installation, listening.getsockname()[1])
            server.should_exit = True
            await serving


@pytest.fixture
async def person(chat: Chat) -> Person:
    """Somebody new."""
    return await signup(chat.installation)


@pytest.fixture(scope="session")
async def worker(chat: Chat) -> AsyncGenerator[None]:
    """One worker for all tests that do not kill it; those that do come before it starts."""
    async with chat.worker():
        yield
