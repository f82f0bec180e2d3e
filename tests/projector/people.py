"""Events of people who talk, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from liminal.log.envelope import Meta
from liminal.log.events import ConversationCreated, ConversationRenamed, Event, MessagePosted, TurnRouted
from liminal.log.ids import new_id

Item = tuple[Event, Meta]


@dataclass(frozen=True, slots=True)
class Person:
    """An owner with a tenant."""

    id: UUID = field(default_factory=new_id)
    tenant: str = "acme"

    def meta(self, stream: str, **extra: UUID) -> Meta:
        """The envelope of what this person does."""
        return Meta(owner=str(self.id), tenant=self.tenant, actor=str(self.id), stream=stream, **extra)

    def begin(self, conversation: UUID, title: str | None = None) -> Item:
        """A new conversation."""
        event = ConversationCreated(conversation_id=conversation, title=title)
        return event, self.meta(f"conversation-{conversation}")

    def rename(self, conversation: UUID, title: str) -> Item:
        """Another title."""
        event = ConversationRenamed(conversation_id=conversation, title=title)
        return event, self.meta(f"conversation-{conversation}")

    def say(self, conversation: UUID, words: str, *, message: UUID | None = None) -> Item:
        """A message."""
        event = MessagePosted(
            message_id=message or new_id(),
            conversation_id=conversation,
            role="user",
            content=words,
            turn_id=new_id(),
            assistant_message_id=new_id(),
        )
        return event, self.meta(f"conversation-{conversation}")

    def route(self, conversation: UUID, turn: UUID) -> Item:
        """The decision on a turn, to be appended with an expected version."""
        event = TurnRouted(
            conversation_id=conversation,
            turn_id=turn,
            user_message_id=new_id(),
            assistant_message_id=new_id(),
            model="tiny",
            seed=1,
        )
        return event, self.meta(f"turn-{turn}")
