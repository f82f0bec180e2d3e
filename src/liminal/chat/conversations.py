"""Conversations: commands that append events, and queries over the read models.

A command returns once the read models show it, so that a client reads its own writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from asyncpg import Record

from liminal.chat.errors import NoSuchConversation, NoSuchMessage
from liminal.chat.feedback import FeedbackRow, feedback_of_messages
from liminal.chat.summaries import Summary, summaries_of
from liminal.identity.actor import Actor
from liminal.log.envelope import Meta
from liminal.log.events import (
    ConversationArchived,
    ConversationCreated,
    ConversationDeleted,
    ConversationRenamed,
    ConversationUnarchived,
    Event,
)
from liminal.log.ids import new_id
from liminal.log.log import Log
from liminal.logging import current_correlation
from liminal.storage.pages import Page, decode_cursor, encode_cursor

PROJECTION = "conversations"
MATCH_START, MATCH_END = "\x02", "\x03"
"""What encloses a match in a snippet: characters that no message's text needs."""


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """A conversation as the read model has it."""

    id: UUID
    owner_id: UUID
    tenant_id: str
    title: str | None
    archived: bool
    created_at: datetime
    last_message_at: datetime | None
    message_count: int


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message with what was said about it and what made it."""

    id: UUID
    conversation_id: UUID
    owner_id: UUID
    tenant_id: str
    parent_id: UUID | None
    role: str
    content: str
    turn_id: UUID | None
    created_at: datetime
    status: str
    sibling_ids: list[UUID]
    feedback: list[FeedbackRow]
    trace: dict[str, Any] | None
    citations: list[dict[str, Any]]
    usage: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that matches a search."""

    conversation_id: UUID
    message_id: UUID
    title: str | None
    snippet: str
    created_at: datetime


_CONVERSATION = """
    SELECT conversation_id, owner_id, tenant_id, title, archived, created_at,
           last_message_at, message_count, coalesce(last_message_at, created_at) AS activity
    FROM read.conversations WHERE NOT deleted
"""

_MESSAGE = """
    SELECT m.message_id, m.conversation_id, c.owner_id, c.tenant_id, m.parent_id, m.role,
           m.content, m.turn_id, m.created_at, m.status, m.trace, m.citations, m.usage,
           m.partition, m."offset",
           (SELECT array_agg(s.message_id ORDER BY s.partition, s."offset") FROM read.messages s
            WHERE s.conversation_id = m.conversation_id AND s.parent_id IS NOT DISTINCT FROM m.parent_id
           ) AS sibling_ids
    FROM read.messages m JOIN read.conversations c USING (conversation_id)
    WHERE NOT c.deleted
"""

_SEARCH = """
    WITH hits AS (
        SELECT m.conversation_id, m.message_id, c.title, m.content, m.created_at, query,
               round(ts_rank_cd(m.search, query)::numeric, 6) AS rank
        FROM websearch_to_tsquery('simple', $2) query, read.messages m
        JOIN read.conversations c USING (conversation_id)
        WHERE c.owner_id = $1 AND NOT c.deleted
          AND m.content ILIKE ALL (read.search_patterns($2)) AND m.search @@ query
    )
    SELECT *, ts_headline(
        'simple', translate(content, chr(2) || chr(3), ''), query,
        'StartSel="' || chr(2) || '", StopSel="' || chr(3) || '", MaxWords=30, MinWords=12') AS snippet
    FROM (
        SELECT * FROM hits WHERE $3::numeric IS NULL OR (rank, message_id) < ($3, $4::uuid)
        ORDER BY rank DESC, message_id DESC LIMIT $5
    ) page ORDER BY rank DESC, message_id DESC
"""


def _conversation(row: Record) -> ConversationRow:
    return ConversationRow(
        id=row["conversation_id"],
        owner_id=row["owner_id"],
        tenant_id=row["tenant_id"],
        title=row["title"],
        archived=row["archived"],
        created_at=row["created_at"],
        last_message_at=row["last_message_at"],
        message_count=row["message_count"],
    )


def _json(value: str | None) -> Any:
    return None if value is None else orjson.loads(value)


def _message(row: Record, feedback: list[FeedbackRow]) -> MessageRow:
    return MessageRow(
        id=row["message_id"],
        conversation_id=row["conversation_id"],
        owner_id=row["owner_id"],
        tenant_id=row["tenant_id"],
        parent_id=row["parent_id"],
        role=row["role"],
        content=row["content"] or "",
        turn_id=row["turn_id"],
        created_at=row["created_at"],
        status=row["status"],
        sibling_ids=list(row["sibling_ids"]),
        feedback=feedback,
        trace=_json(row["trace"]),
        citations=_json(row["citations"]) or [],
        usage=_json(row["usage"]),
    )


class Conversations:
    """The conversations of all accounts; who may see which is decided before this is asked."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._pool = log.pool

    async def get(self, conversation_id: UUID) -> ConversationRow:
        """One conversation that is not deleted. Raises NoSuchConversation."""
        row = await self._pool.fetchrow(_CONVERSATION + "AND conversation_id = $1", conversation_id)
        if row is None:
            raise NoSuchConversation("There is no such conversation.")
        return _conversation(row)

    async def list(
        self, account_id: UUID, *, archived: bool, cursor: str | None, limit: int
    ) -> Page[ConversationRow]:
        """An account's conversations, newest activity first. Raises BadCursor."""
        after = decode_cursor(cursor, datetime.fromisoformat, UUID) if cursor else [None, None]
        rows = await self._pool.fetch(
            f"""SELECT * FROM ({_CONVERSATION} AND owner_id = $1 AND archived = $2) c
                WHERE $3::timestamptz IS NULL OR (activity, conversation_id) < ($3, $4::uuid)
                ORDER BY activity DESC, conversation_id DESC LIMIT $5""",
            account_id,
            archived,
            *after,
            limit + 1,
        )
        last = rows[limit - 1] if len(rows) > limit else None
        more = None if last is None else encode_cursor(last["activity"], last["conversation_id"])
        return Page([_conversation(row) for row in rows[:limit]], more)

    async def search(self, account_id: UUID, query: str, *, cursor: str | None, limit: int) -> Page[Hit]:
        """Messages of an account's conversations that match, best first. Raises BadCursor."""
        after = decode_cursor(cursor, str, UUID) if cursor else [None, None]
        rows = await self._pool.fetch(_SEARCH, account_id, query, *after, limit + 1)
        hits = [
            Hit(row["conversation_id"], row["message_id"], row["title"], row["snippet"], row["created_at"])
            for row in rows[:limit]
        ]
        if len(rows) <= limit:
            return Page(hits, None)
        last = rows[limit - 1]
        return Page(hits, encode_cursor(str(last["rank"]), last["message_id"]))

    async def messages(
        self, conversation_id: UUID, account_id: UUID, *, cursor: str | None, limit: int
    ) -> Page[MessageRow]:
        """Messages of all branches in the order of the log, with the account's feedback. Raises BadCursor."""
        after = decode_cursor(cursor, int, int) if cursor else [-1, -1]
        rows = await self._pool.fetch(
            f"""{_MESSAGE} AND m.conversation_id = $1 AND (m.partition, m."offset") > ($2, $3)
                ORDER BY m.partition, m."offset" LIMIT $4""",
            conversation_id,
            *after,
            limit + 1,
        )
        page = await self._with_feedback(rows[:limit], account_id)
        last = rows[limit - 1] if len(rows) > limit else None
        return Page(page, None if last is None else encode_cursor(last["partition"], last["offset"]))

    async def summaries(self, row: ConversationRow, *, cursor: str | None, limit: int) -> Page[Summary]:
        """The summaries of a conversation, newest first. Raises BadCursor."""
        return await summaries_of(self._pool, str(row.owner_id), row.id, cursor=cursor, limit=limit)

    async def message(self, message_id: UUID) -> MessageRow:
        """One message, with its owner's feedback. Raises NoSuchMessage."""
        rows = await self._pool.fetch(_MESSAGE + "AND m.message_id = $1", message_id)
        if not rows:
            raise NoSuchMessage("There is no such message.")
        return (await self._with_feedback(rows, rows[0]["owner_id"]))[0]

    async def _with_feedback(self, rows: list[Record], account_id: UUID) -> list[MessageRow]:
        feedback = await feedback_of_messages(self._pool, [row["message_id"] for row in rows], account_id)
        return [_message(row, feedback.get(row["message_id"], [])) for row in rows]

    async def create(self, actor: Actor, title: str | None) -> ConversationRow:
        """Begin an empty conversation."""
        conversation_id = new_id()
        event = ConversationCreated(conversation_id=conversation_id, title=title)
        await self._append(actor, actor.account_id, conversation_id, [event])
        return await self.get(conversation_id)

    async def change(
        self, actor: Actor, row: ConversationRow, *, title: str | None, archived: bool | None
    ) -> ConversationRow:
        """Rename, archive or fetch back; what stays the same makes no event."""
        events: list[Event] = []
        if title is not None and title != row.title:
            events.append(ConversationRenamed(conversation_id=row.id, title=title))
        if archived is not None and archived != row.archived:
            change = ConversationArchived if archived else ConversationUnarchived
            events.append(change(conversation_id=row.id))
        await self._append(actor, row.owner_id, row.id, events)
        return await self.get(row.id)

    async def delete(self, actor: Actor, row: ConversationRow) -> None:
        """Take a conversation out of every list and search."""
        event = ConversationDeleted(conversation_id=row.id)
        await self._append(actor, row.owner_id, row.id, [event])

    async def _append(self, actor: Actor, owner: UUID, conversation_id: UUID, events: list[Event]) -> None:
        if not events:
            return
        meta = Meta(
            owner=str(owner),
            tenant=actor.tenant_id,
            actor=str(actor.account_id),
            stream=f"conversation-{conversation_id}",
            correlation=current_correlation(),
        )
        positions = await self._log.append_many([(event, meta) for event in events])
        await self._log.wait_for(max(positions), PROJECTION)
