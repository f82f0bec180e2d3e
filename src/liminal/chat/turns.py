"""Turns as the API sees them: a command becomes events, and its answer comes as frames."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast
from uuid import UUID

from redis.asyncio import Redis

from liminal.chat.cancelling import request_cancel
from liminal.chat.conversations import PROJECTION, Conversations, MessageRow
from liminal.chat.errors import NoSuchMessage, NoSuchTurn, WrongMessage
from liminal.chat.frames import Edit, Options, Regenerate, Send
from liminal.chat.keys import STREAM_TTL, Keys
from liminal.chat.waiting import WaitingTurns
from liminal.identity.actor import Actor
from liminal.identity.authorize import authorize
from liminal.log.envelope import Meta
from liminal.log.events import ConversationCreated, Event, MessagePosted, TurnOptions, TurnRequested
from liminal.log.ids import derived_id
from liminal.log.log import Log
from liminal.log.position import Position

Origin = Literal["web", "api", "openai"]
TITLE_LENGTH = 60
"""Characters of a first message that name its conversation until somebody renames it."""
REPEAT_TTL = 86_400
"""Seconds in which a command that is sent again is recognised."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A turn whose events are on the log. ``repeated``: they were there before this command."""

    turn_id: UUID
    conversation_id: UUID
    user_message_id: UUID
    assistant_message_id: UUID
    parent_id: UUID | None
    position: Position | None
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class TurnOwner:
    """Whose turn it is."""

    owner_id: UUID | None
    tenant_id: str


_PARENT = """
    SELECT parent_id FROM (
        SELECT 0 AS rank, parent_id FROM read.messages WHERE message_id = $3 AND conversation_id = $1
        UNION ALL (
            SELECT 1, message_id FROM read.messages
            WHERE conversation_id = $1 AND ($2::uuid IS NULL OR message_id = $2)
            ORDER BY partition DESC, "offset" DESC LIMIT 1
        )
    ) AS found ORDER BY rank LIMIT 1
"""
"""What a message comes after: where it was posted already, what it came after then; else the message that was
asked for, or the newest."""

ENDED = frozenset({"answered", "cancelled", "failed"})
"""States of a turn that nothing follows."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a turn ended."""

    state: str
    message: MessageRow | None
    error_code: str | None
    error_message: str | None


class Turns:
    """Begins, finds and stops turns."""

    def __init__(self, log: Log, redis: Redis, keys: Keys, conversations: Conversations) -> None:
        self._log = log
        self._redis = redis
        self._keys = keys
        self._conversations = conversations
        self._waiting = WaitingTurns(redis, keys)

    def turn_id(self, actor: Actor, client_id: UUID) -> UUID:
        """The turn that a command leads to."""
        return _Ids(actor, client_id).turn_id

    async def send(
        self, actor: Actor, command: Send, *, origin: Origin = "web", system: str | None = None
    ) -> Begun:
        """Post a user message and ask for its answer. Raises NoSuchConversation, NoSuchMessage, Forbidden."""
        authorize(actor, "conversation.create")
        ids = _Ids(actor, command.client_id)
        events: list[tuple[Event, Meta]] = []
        parent_id = command.parent_id
        if command.conversation_id is None:
            conversation_id = ids.conversation_id
            title = " ".join(command.content.split())[:TITLE_LENGTH]
            created = ConversationCreated(conversation_id=conversation_id, title=title, origin=origin)
            events.append((created, _meta(actor, f"conversation-{conversation_id}", ids, "created")))
        else:
            conversation_id = command.conversation_id
            row, parent = await asyncio.gather(
                self._conversations.get(conversation_id),
                self._log.pool.fetchrow(_PARENT, conversation_id, parent_id, ids.user_message_id),
            )
            authorize(actor, "conversation.change", row)
            if parent is None and parent_id is not None:
                raise NoSuchMessage("The conversation has no such message to answer.")
            parent_id = None if parent is None else parent["parent_id"]
        posted = MessagePosted(
            conversation_id=conversation_id,
            message_id=ids.user_message_id,
            parent_id=parent_id,
            role="user",
            content=command.content,
            turn_id=ids.turn_id,
            client_id=command.client_id,
            assistant_message_id=ids.assistant_message_id,
            options=_options(command.options, system),
        )
        events.append((posted, _meta(actor, f"conversation-{conversation_id}", ids, "message")))
        return await self._begin(actor, ids, conversation_id, ids.user_message_id, parent_id, events)

    async def edit(self, actor: Actor, command: Edit) -> Begun:
        """Post another wording of a user message beside it. Raises NoSuchMessage, WrongMessage."""
        old = await self._own_message(actor, command.message_id, "user")
        ids = _Ids(actor, command.client_id)
        posted = MessagePosted(
            conversation_id=old.conversation_id,
            message_id=ids.user_message_id,
            parent_id=old.parent_id,
            role="user",
            content=command.content,
            turn_id=ids.turn_id,
            client_id=command.client_id,
            edited_from=old.id,
            assistant_message_id=ids.assistant_message_id,
            options=_options(command.options),
        )
        meta = _meta(actor, f"conversation-{old.conversation_id}", ids, "message")
        return await self._begin(
            actor, ids, old.conversation_id, ids.user_message_id, old.parent_id, [(posted, meta)]
        )

    async def regenerate(self, actor: Actor, command: Regenerate) -> Begun:
        """Ask for another answer beside an answer, or for one to a message that got none."""
        old = await self._own_message(actor, command.message_id, None)
        question = old.id if old.role == "user" else old.parent_id
        if question is None:
            raise WrongMessage("This answer follows no message, so there is nothing to answer again.")
        ids = _Ids(actor, command.client_id)
        requested = TurnRequested(
            conversation_id=old.conversation_id,
            turn_id=ids.turn_id,
            kind="retry" if old.role == "user" else "regenerate",
            user_message_id=question,
            assistant_message_id=ids.assistant_message_id,
            regenerated_from=None if old.role == "user" else old.id,
            client_id=command.client_id,
            options=_options(command.options),
        )
        meta = _meta(actor, f"turn-{ids.turn_id}", ids, "requested")
        return await self._begin(actor, ids, old.conversation_id, question, question, [(requested, meta)])

    async def cancel(self, actor: Actor, turn_id: UUID) -> None:
        """Stop a turn; one that ended already stays as it is. Raises NoSuchTurn."""
        await self.check_owner(actor, turn_id)
        await request_cancel(self._redis, self._keys, turn_id)

    async def check_owner(self, actor: Actor, turn_id: UUID) -> None:
        """Raises NoSuchTurn, or what ``authorize`` raises, unless the turn is the caller's."""
        owner = cast("bytes | None", await self._redis.get(self._keys.owner(turn_id)))
        if owner is not None:
            account, _, tenant = owner.decode().partition(" ")
            return authorize(actor, "conversation.read", TurnOwner(UUID(account), tenant))
        row = await self._log.pool.fetchrow(
            "SELECT c.owner_id, c.tenant_id::text AS tenant_id FROM read.turns t "
            "JOIN read.conversations c USING (conversation_id) WHERE t.turn_id = $1",
            turn_id,
        )
        if row is None:
            raise NoSuchTurn("There is no such turn.")
        return authorize(actor, "conversation.read", TurnOwner(row["owner_id"], row["tenant_id"]))

    async def outcome(self, turn_id: UUID) -> Outcome | None:
        """How a turn ended, as the history has it; None while it goes on."""
        row = await self._log.pool.fetchrow("SELECT * FROM read.turns WHERE turn_id = $1", turn_id)
        if row is None or row["state"] not in ENDED:
            return None
        message_id = await self._log.pool.fetchval(
            "SELECT message_id FROM read.messages WHERE turn_id = $1 AND role = 'assistant'", turn_id
        )
        message = await self._conversations.message(message_id) if message_id else None
        return Outcome(row["state"], message, row["error_code"], row["error_message"])

    async def _begin(
        self,
        actor: Actor,
        ids: _Ids,
        conversation_id: UUID,
        user_message_id: UUID,
        parent_id: UUID | None,
        events: list[tuple[Event, Meta]],
    ) -> Begun:
        key = self._keys.begun(ids.turn_id)
        pipe = self._redis.pipeline(transaction=False)
        pipe.set(self._keys.owner(ids.turn_id), f"{actor.account_id} {actor.tenant_id}", ex=STREAM_TTL)
        pipe.get(key)
        _, known = await pipe.execute()
        position = None
        if known is None:
            # where somebody else is at it, or died at it, the events are written twice: their ids are derived
            # from the command, so whoever reads the log counts them once
            positions, _ = await asyncio.gather(
                self._log.append_many(events), self._waiting.begins(ids.turn_id)
            )
            position = max(positions)
            await self._redis.set(key, str(parent_id or ""), ex=REPEAT_TTL, nx=True)
        elif known:
            parent_id = UUID(known.decode())
        return Begun(
            ids.turn_id,
            conversation_id,
            user_message_id,
            ids.assistant_message_id,
            parent_id if known != b"" else None,
            position,
            repeated=known is not None,
        )

    async def append(self, actor: Actor, turn_ids: Sequence[UUID], events: list[tuple[Event, Meta]]) -> None:
        """Append what begins these turns, and remember whose they are."""
        pipe = self._redis.pipeline(transaction=False)
        for turn_id in turn_ids:
            pipe.set(self._keys.owner(turn_id), f"{actor.account_id} {actor.tenant_id}", ex=STREAM_TTL)
        await pipe.execute()
        await self._log.append_many(events)

    async def _own_message(self, actor: Actor, message_id: UUID, role: str | None) -> MessageRow:
        row = await self._conversations.message(message_id)
        authorize(actor, "conversation.change", row)
        if role is not None and row.role != role:
            raise WrongMessage(f"Only a message of the {role} can be edited.")
        return row

    async def wait_for(self, position: Position) -> None:
        """Return once the history shows what was written at ``position``. Raises Stale."""
        await self._log.wait_for(position, PROJECTION)


class _Ids:
    """The ids that a command leads to: the same command by the same account has the same ones."""

    def __init__(self, actor: Actor, client_id: UUID) -> None:
        self.command_id = derived_id(client_id, f"account {actor.account_id}")
        self.turn_id = derived_id(self.command_id, "turn")
        self.conversation_id = derived_id(self.command_id, "conversation")
        self.user_message_id = derived_id(self.command_id, "message")
        self.assistant_message_id = derived_id(self.command_id, "answer")


def _meta(actor: Actor, stream: str, ids: _Ids, name: str) -> Meta:
    return Meta(
        owner=str(actor.account_id),
        tenant=actor.tenant_id,
        actor=str(actor.account_id),
        stream=stream,
        correlation=ids.turn_id,
        id=derived_id(ids.command_id, f"event {name}"),
    )


def _options(options: Options, system: str | None = None) -> TurnOptions:
    return TurnOptions(
        temperature=options.temperature,
        top_p=options.top_p,
        max_tokens=options.max_tokens,
        seed=options.seed,
        without_learning=not options.learned,
        system=system,
        extra=None if options.adapters is None else {"adapters": dict(options.adapters)},
    )


def seed_of(turn_id: UUID) -> int:
    """The sampling seed of a turn that asked for none: a number below 2^53, so that JSON keeps it exact."""
    return int.from_bytes(hashlib.sha256(turn_id.bytes).digest()[:8]) >> 11
