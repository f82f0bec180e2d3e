"""An installation with a web server, people, and workers that answer with a tiny model of random weights."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import uuid
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import uvicorn
from tests.api.installation import PASSWORD, Installation, Person, install, settings_of, signup
from tests.processes import working
from websockets.asyncio.client import ClientConnection, connect

from liminal.stack.embedded import Services as Stack

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "tests" / "parity" / "golden" / "models" / "llama"
WINDOW = 4096
"""Tokens that the model reads and writes here: enough for an answer that one can interrupt."""


@dataclass
class Chat:
    """An installation that listens on a port."""

    installation: Installation
    port: int
    processes: AsyncExitStack
    worker: subprocess.Popen[bytes] | None = None

    @asynccontextmanager
    async def socket(
        self, person: Person, port: int | None = None, token: str | None = None
    ) -> AsyncGenerator[Client]:
        """A socket of a client that signed in for a token; ``port`` is another API node's."""
        headers = {"Authorization": f"Bearer {token or await self.token(person)}"}
        url = f"ws://127.0.0.1:{port or self.port}/v1/chat/stream"
        async with connect(url, additional_headers=headers) as connection:
            yield Client(connection)

    async def token(self, person: Person) -> str:
        """A fresh access token."""
        body = {"email": person.email, "password": PASSWORD, "client": "api"}
        async with self.installation.client() as anonymous:
            reply = await anonymous.post("/v1/auth/login", json=body)
        assert reply.status_code == 200, reply.text
        return reply.json()["access_token"]

    async def serve(self) -> subprocess.Popen[bytes]:
        """The one respond worker, a process of its own, once it serves; another when it was killed."""
        if self.worker is None or self.worker.poll() is not None:
            starting = working(self.installation.settings, "consumers.respond")
            self.worker = await self.processes.enter_async_context(starting)
        return self.worker

    @asynccontextmanager
    async def node(self) -> AsyncGenerator[tuple[subprocess.Popen[bytes], int]]:
        """Another API node as a process of its own, and its port."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            fd, port = listening.fileno(), listening.getsockname()[1]
            settings = self.installation.settings
            async with working(settings, "liminal.cli", "api", LIMINAL_WEB_FD=str(fd)) as process:
                listening.close()
                yield process, port


@dataclass
class Client:
    """A chat client: sends commands, reads frames."""

    connection: ClientConnection

    async def command(self, cmd: str, **fields: Any) -> None:
        """Send a command."""
        await self.connection.send(orjson.dumps({"v": 1, "cmd": cmd, **fields}).decode())

    async def frame(self, within: float = 240) -> dict[str, Any]:
        """The next frame."""
        return orjson.loads(await asyncio.wait_for(self.connection.recv(), within))

    async def until(self, *types: str) -> list[dict[str, Any]]:
        """All frames up to the first of these types."""
        frames = [await self.frame()]
        while frames[-1]["type"] not in types:
            frames.append(await self.frame())
        return frames

    async def say(self, content: str, **fields: Any) -> list[dict[str, Any]]:
        """Send a message and read the whole turn.

        Greedy: among the tiny model's 320 tokens one ends an answer, and a sampled one may be empty.
        """
        options = {"max_tokens": 24, "temperature": 0.0} | fields.pop("options", {})
        await self.command("send", client_id=str(uuid.uuid4()), content=content, options=options, **fields)
        return await self.until("message_done", "error", "cancelled")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a longer window; its weights are random, so its positions mean nothing to it."""
    folder = tmp_path_factory.mktemp("model") / "llama"
    shutil.copytree(MODEL, folder)
    config = orjson.loads((folder / "config.json").read_bytes()) | {"max_position_embeddings": WINDOW}
    (folder / "config.json").write_bytes(orjson.dumps(config))
    return folder


@pytest.fixture(scope="session")
async def chat(
    services: Stack, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Chat]:
    """The installation of this folder, without a worker."""
    settings = settings_of(
        services,
        tmp_path_factory.mktemp("chat") / "home",
        cache=ROOT / ".cache",
        model=str(model),
        slots=2,
        compile_ahead=False,
    )
    async with install(settings, services) as installation, AsyncExitStack() as processes:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            server = uvicorn.Server(
                uvicorn.Config(
                    installation.app, log_level="warning", lifespan="off", timeout_graceful_shutdown=5
                )
            )
            serving = asyncio.create_task(server.serve([listening]))
            yield Chat(installation, listening.getsockname()[1], processes)
            server.should_exit = True
            await serving


@pytest.fixture
async def person(chat: Chat) -> Person:
    """Somebody new."""
    return await signup(chat.installation)


@pytest.fixture
async def worker(chat: Chat) -> None:
    """A worker that answers, the same for all tests for as long as none kills it."""
    await chat.serve()
