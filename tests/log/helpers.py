"""Writing events in few words, reading what lies on the topic, and the environment of commands."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from typer.testing import Result

from liminal.log import Log, Meta
from liminal.log.events import MessagePosted
from liminal.log.read import open_reader
from liminal.settings import Settings

Run = Callable[..., Coroutine[Any, Any, Result]]
"""Runs a command of `liminal log`."""
PLANTED = "the heron stands in the reeds at dawn"


@dataclass(frozen=True)
class Person:
    """Somebody with one conversation."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    conversation: UUID = field(default_factory=uuid.uuid4)

    def says(self, content: str, **more: Any) -> tuple[MessagePosted, Meta]:
        """A message of theirs, ready to be appended; ``more`` goes to Meta."""
        event = MessagePosted(
            conversation_id=self.conversation,
            message_id=uuid.uuid4(),
            turn_id=uuid.uuid4(),
            role="user",
            content=content,
        )
        return event, self.meta(**more)

    def meta(self, **more: Any) -> Meta:
        """Meta of an event of theirs."""
        return Meta(
            **{
                "owner": self.id,
                "tenant": "acme",
                "actor": self.id,
                "stream": f"conversation-{self.conversation}",
                **more,
            }
        )


async def read_all(settings: Settings) -> list[Any]:
    """Every record of the topic, in order of time."""
    async with open_reader(settings) as reader:
        first, end = await reader.bounds()
        return [record async for batch in reader.upto(first, end) for record in batch]


def header(record: Any, name: str) -> str:
    """One header of a record."""
    return dict(record.headers)[name].decode()


def use(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Let commands find these settings, as an operator's shell would give them."""
    for name, value in {
        "LIMINAL_HOME": settings.home,
        "LIMINAL_TOPIC": settings.topic,
        "LIMINAL_PARTITIONS": settings.partitions,
        "DATABASE_URL": settings.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "REDIS_URL": settings.redis_url,
    }.items():
        monkeypatch.setenv(name, str(value))


def lines(result: Result) -> list[dict[str, Any]]:
    """What a command printed as JSON lines."""
    return [json.loads(line) for line in result.stdout.splitlines()]


async def talk(log: Log, people: int = 3, each: int = 5) -> list[Person]:
    """Some people say some words in turn."""
    them = [Person() for _ in range(people)]
    begun = datetime.now(UTC) - timedelta(minutes=5)
    for i in range(each):
        for j, person in enumerate(them):
            when = begun + timedelta(seconds=i * people + j)
            await log.append(*person.says(f"{PLANTED} {i}", time=when))
    return them
