"""Where learning is measured: a whole installation with the model of the settings, and people with habits."""

from __future__ import annotations

import asyncio
import random
import secrets
import socket
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil

from liminal.bench.ground import ground, projector_process, serving_process
from liminal.bench.schooling.habits import Habit
from liminal.log.log import Log
from liminal.projector.resources import open_resources
from liminal.settings import Settings

PASSWORD = "correct horse battery staple"
SCOPES = ["chat", "conversations:read", "conversations:write", "feedback"]
TOKENS = 256
"""Longest answer: a line at the end is not seen in one that is cut off."""
OPEN = ("queued", "running", "retrying")


@dataclass
class Answer:
    """One answer as its reader has it."""

    id: str
    question: str
    text: str
    seconds: float
    adapters: list[dict[str, Any]]


@dataclass
class Pupil:
    """Somebody with an account, who asks, judges, and is learned from."""

    http: httpx.AsyncClient
    headers: dict[str, str]
    said: int = 0
    judged: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(0))

    async def ask(self, question: str, *, without_learning: bool = False) -> Answer:
        """A question in a conversation of its own, answered greedily."""
        options = {"temperature": 0.0, "max_tokens": TOKENS, "learned": not without_learning}
        began = time.monotonic()
        turn = await self._post("/v1/chat", {"content": question, "options": options})
        message = turn["assistant_message"]
        self.said += 1
        seconds = time.monotonic() - began
        return Answer(message["id"], question, message["content"], seconds, message["trace"]["adapters"])

    async def correct(self, answer: Answer, text: str) -> None:
        """Say what the answer should have been."""
        await self._judge(answer, {"kind": "correction", "text": text})

    async def thumb(self, answer: Answer, value: int) -> None:
        """Like an answer, or not."""
        await self._judge(answer, {"kind": "thumb", "value": value})

    async def persona(self) -> dict[str, Any] | None:
        """The adapter of one's own, if there is one."""
        reply = await self.http.get("/v1/adapters", headers=self.headers)
        items = reply.raise_for_status().json()["items"]
        return next((item for item in items if item["kind"] == "persona"), None)

    async def settled(self, within: float = 3600) -> dict[str, Any] | None:
        """The persona once nothing is being learned."""
        until = time.monotonic() + within
        while time.monotonic() < until:
            reply = await self.http.get("/v1/training", headers=self.headers)
            runs = reply.raise_for_status().json()["items"]
            undecided = [
                r for r in runs if r["state"] == "done" and r["decision"] in (None, "trained", "evaluated")
            ]
            if not undecided and not any(run["state"] in OPEN for run in runs):
                return await self.persona()
            await asyncio.sleep(0.2)
        raise TimeoutError(f"learning did not end within {within:g} s")

    async def _judge(self, answer: Answer, feedback: dict[str, Any]) -> None:
        self.judged += 1
        await self._post(f"/v1/messages/{answer.id}/feedback", feedback)

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        reply = await self.http.post(path, json=body, headers=self.headers)
        return reply.raise_for_status().json()


@dataclass
class School:
    """What runs, and how to enrol. ``learner`` is the process that learns."""

    http: httpx.AsyncClient
    learner: psutil.Process

    @contextmanager
    def nothing_learns(self) -> Generator[None]:
        """The learner and its children stand still during the block, wherever they are."""
        tree = [self.learner, *self.learner.children(recursive=True)]
        for process in tree:
            process.suspend()
        try:
            yield
        finally:
            for process in tree:
                process.resume()

    async def pupil(self, seed: int = 0) -> Pupil:
        """A new account."""
        me = {"email": f"{secrets.token_hex(6)}@example.org", "password": PASSWORD}
        (await self.http.post("/v1/auth/signup", json=me)).raise_for_status()
        # a cookie would make this client a browser, whose requests have to say which page they come from
        self.http.cookies.clear()
        tokens = await self.http.post("/v1/auth/login", json={**me, "client": "api"})
        # a key, for an access token is over long before a school day is
        made = await self.http.post(
            "/v1/auth/api-keys",
            json={"name": "school", "scopes": SCOPES},
            headers=_bearer(tokens.raise_for_status().json()["access_token"]),
        )
        return Pupil(self.http, _bearer(made.raise_for_status().json()["key"]), dice=random.Random(seed))


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def school(settings: Settings, *, partitions: int = 4) -> AsyncGenerator[School]:
    """Projector, API, the model that answers, the one that learns, on a fresh database and topic."""
    async with AsyncExitStack() as stack:
        own = await stack.enter_async_context(ground(settings, partitions=partitions))
        async with Log.open(own), open_resources(own):
            pass  # the read models exist before the first event
        await stack.enter_async_context(projector_process(own))
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=256))
        port, handle = listening.getsockname()[1], listening.fileno()
        web = {"LIMINAL_WEB_FD": str(handle), "LIMINAL_RATE_FACTOR": "0"}
        await stack.enter_async_context(
            serving_process(own, "liminal.cli", "api", descriptors=[handle], **web)
        )
        await stack.enter_async_context(serving_process(own, "consumers.respond"))
        learner = await stack.enter_async_context(serving_process(own, "consumers.learn"))
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers={"X-Liminal": "1"}, timeout=300)
        )
        yield School(http, psutil.Process(learner.pid))


def kept(habit: Habit, answers: Sequence[Answer]) -> float:
    """Share of answers that have a habit."""
    return sum(habit.has(answer.text) for answer in answers) / len(answers)


async def ask_all(pupil: Pupil, questions: Sequence[str], **how: Any) -> list[Answer]:
    """Every question, one after another."""
    return [await pupil.ask(question, **how) for question in questions]
