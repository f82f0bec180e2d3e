"""Turns from clients that send the whole conversation each time, as OpenAI's API has it.

What the log has of the transcript already is found, not posted again: the conversation is derived from its
system prompt and first message, and the transcript is walked down the tree of messages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from liminal.chat.conversations import Conversations, MessageRow
from liminal.chat.errors import NoSuchConversation, WrongMessage
from liminal.chat.turns import TITLE_LENGTH, Begun, Turns
from liminal.identity.actor import Actor
from liminal.log.envelope import Meta
from liminal.log.events import ConversationCreated, Event, MessagePosted, TurnOptions, TurnRequested
from liminal.log.ids import derived_id, new_id

LONGEST = 2000
"""Messages of one transcript."""


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a transcript."""

    role: str
    content: str


class Transcripts:
    """Begins turns from transcripts."""

    def __init__(self, turns: Turns, conversations: Conversations) -> None:
        self._turns = turns
        self._conversations = conversations

    async def begin(
        self, actor: Actor, system: str | None, lines: Sequence[Line], options: TurnOptions, count: int
    ) -> list[Begun]:
        """Ask for ``count`` answers to the last line, which is the user's. Raises WrongMessage."""
        if not lines or lines[-1].role != "user":
            raise WrongMessage("The last message has to be the user's.")
        if len(lines) > LONGEST or any(line.role not in ("user", "assistant") for line in lines):
            raise WrongMessage(f"A transcript has at most {LONGEST} messages, of user and assistant.")
        first = hashlib.sha256(f"{system or ''}\0{lines[0].content}".encode()).hexdigest()
        conversation_id = derived_id(actor.account_id, f"transcript {first}")
        known, node, depth = await self._walk(actor, conversation_id, lines)
        events: list[tuple[Event, Meta]] = []
        if not known:
            title = " ".join(lines[0].content.split())[:TITLE_LENGTH]
            created = ConversationCreated(conversation_id=conversation_id, title=title, origin="openai")
            events.append((created, self._meta(actor, conversation_id)))
        for line in lines[depth:-1]:
            message_id = new_id()
            posted = MessagePosted.model_validate(
                {
                    "conversation_id": conversation_id,
                    "message_id": message_id,
                    "parent_id": node,
                    "role": line.role,
                    "content": line.content,
                    "turn_id": new_id(),
                }
            )
            events.append((posted, self._meta(actor, conversation_id)))
            node = message_id
        begun: list[Begun] = []
        question = node if depth == len(lines) else None
        for number in range(count):
            turn = _Turn(conversation_id, options, number)
            if question is None:
                asked, question = turn.post(node, lines[-1].content)
            else:
                asked = turn.ask_again(question)
            stream = asked.stream
            events.append((asked.event, self._meta(actor, conversation_id, stream, turn.turn_id)))
            begun.append(
                Begun(turn.turn_id, conversation_id, question, turn.assistant_message_id, node, None)
            )
        await self._turns.append(actor, [turn.turn_id for turn in begun], events)
        return begun

    async def _walk(
        self, actor: Actor, conversation_id: UUID, lines: Sequence[Line]
    ) -> tuple[bool, UUID | None, int]:
        """Whether the conversation exists, the deepest message that it shares, and how deep that is."""
        try:
            row = await self._conversations.get(conversation_id)
        except NoSuchConversation:
            return False, None, 0
        children: dict[UUID | None, list[MessageRow]] = {}
        cursor: str | None = None
        while True:
            page = await self._conversations.messages(row.id, actor.account_id, cursor=cursor, limit=1000)
            for message in page.items:
                children.setdefault(message.parent_id, []).append(message)
            cursor = page.next_cursor
            if cursor is None:
                break
        node: UUID | None = None
        for depth, line in enumerate(lines):
            same = [m for m in children.get(node, []) if (m.role, m.content) == (line.role, line.content)]
            if not same:
                return True, node, depth
            node = same[-1].id
        return True, node, len(lines)

    @staticmethod
    def _meta(
        actor: Actor, conversation_id: UUID, stream: str | None = None, turn_id: UUID | None = None
    ) -> Meta:
        return Meta(
            owner=str(actor.account_id),
            tenant=actor.tenant_id,
            actor=str(actor.account_id),
            stream=stream or f"conversation-{conversation_id}",
            correlation=turn_id,
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    event: Event
    stream: str


class _Turn:
    """One of the turns that a request begins."""

    def __init__(self, conversation_id: UUID, options: TurnOptions, number: int) -> None:
        self.turn_id, self.assistant_message_id = new_id(), new_id()
        self._conversation_id = conversation_id
        seed = None if options.seed is None else options.seed + number
        self._options = options.model_copy(update={"seed": seed})

    def post(self, parent_id: UUID | None, content: str) -> tuple[_Asked, UUID]:
        message_id = new_id()
        event = MessagePosted(
            conversation_id=self._conversation_id,
            message_id=message_id,
            parent_id=parent_id,
            role="user",
            content=content,
            turn_id=self.turn_id,
            assistant_message_id=self.assistant_message_id,
            options=self._options,
        )
        return _Asked(event, f"conversation-{self._conversation_id}"), message_id

    def ask_again(self, question: UUID) -> _Asked:
        event = TurnRequested(
            conversation_id=self._conversation_id,
            turn_id=self.turn_id,
            kind="regenerate",
            user_message_id=question,
            assistant_message_id=self.assistant_message_id,
            options=self._options,
        )
        return _Asked(event, f"turn-{self.turn_id}")
