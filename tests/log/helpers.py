"""Writing events in few words, and reading what lies on the topic."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from liminal.log import Meta
from liminal.log.events import MessagePosted
from liminal.log.read import open_reader
from liminal.settings import Settings


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
