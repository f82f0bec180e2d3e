"""Feedback on messages: given, changed, withdrawn, listed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from asyncpg import Record

from liminal.chat.errors import NoSuchFeedback, WrongFeedback
from liminal.identity.actor import Actor
from liminal.log.envelope import Meta
from liminal.log.events import FeedbackChanged, FeedbackGiven, FeedbackWithdrawn
from liminal.log.ids import new_id
from liminal.log.log import Log
from liminal.logging import current_correlation
from liminal.storage.pages import Page, decode_cursor, encode_cursor
from liminal.storage.postgres import Pool

if TYPE_CHECKING:
    from liminal.chat.conversations import MessageRow

PROJECTION = "feedback"
Kind = Literal["thumb", "correction", "always", "never", "note"]
SINGLE: frozenset[str] = frozenset({"thumb", "correction"})
"""Kinds of which a message has one of each account: a second one replaces the first."""


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """Feedback that was not withdrawn."""

    id: UUID
    message_id: UUID
    conversation_id: UUID
    owner_id: UUID
    tenant_id: str
    kind: Kind
    value: Literal[-1, 1] | None
    text: str | None
    created_at: datetime
    updated_at: datetime


_FEEDBACK = """
    SELECT feedback_id, message_id, conversation_id, owner_id, tenant_id, kind, value,
           text, created_at, updated_at
    FROM read.feedback WHERE NOT withdrawn
"""


def _feedback(row: Record) -> FeedbackRow:
    return FeedbackRow(
        id=row["feedback_id"],
        message_id=row["message_id"],
        conversation_id=row["conversation_id"],
        owner_id=row["owner_id"],
        tenant_id=row["tenant_id"],
        kind=row["kind"],
        value=row["value"],
        text=row["text"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


async def feedback_of_messages(
    pool: Pool, message_ids: list[UUID], account_id: UUID
) -> dict[UUID, list[FeedbackRow]]:
    """What an account said about each of these messages, oldest first."""
    rows = await pool.fetch(
        _FEEDBACK + "AND message_id = ANY($1::uuid[]) AND owner_id = $2 ORDER BY created_at, feedback_id",
        message_ids,
        account_id,
    )
    found: dict[UUID, list[FeedbackRow]] = defaultdict(list)
    for row in rows:
        found[row["message_id"]].append(_feedback(row))
    return found


class Feedback:
    """The feedback of all accounts; who may change which is decided before this is asked."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._pool = log.pool

    async def get(self, feedback_id: UUID) -> FeedbackRow:
        """One piece of feedback that was not withdrawn. Raises NoSuchFeedback."""
        row = await self._pool.fetchrow(_FEEDBACK + "AND feedback_id = $1", feedback_id)
        if row is None:
            raise NoSuchFeedback("There is no such feedback.")
        return _feedback(row)

    async def list(
        self,
        account_id: UUID,
        *,
        message_id: UUID | None,
        conversation_id: UUID | None,
        cursor: str | None,
        limit: int,
    ) -> Page[FeedbackRow]:
        """An account's feedback, newest first. Raises BadCursor."""
        after = decode_cursor(cursor, datetime.fromisoformat, UUID) if cursor else [None, None]
        rows = await self._pool.fetch(
            f"""{_FEEDBACK} AND owner_id = $1
                AND ($2::uuid IS NULL OR message_id = $2) AND ($3::uuid IS NULL OR conversation_id = $3)
                AND ($4::timestamptz IS NULL OR (created_at, feedback_id) < ($4, $5::uuid))
                ORDER BY created_at DESC, feedback_id DESC LIMIT $6""",
            account_id,
            message_id,
            conversation_id,
            *after,
            limit + 1,
        )
        page = [_feedback(row) for row in rows[:limit]]
        more = encode_cursor(page[-1].created_at, page[-1].id) if len(rows) > limit else None
        return Page(page, more)

    async def give(
        self,
        actor: Actor,
        message: MessageRow,
        kind: Kind,
        *,
        value: Literal[-1, 1] | None,
        text: str | None,
    ) -> FeedbackRow:
        """Say something about a message; a second thumb or correction changes the first."""
        earlier = next((item for item in message.feedback if item.kind == kind), None)
        if earlier is not None and kind in SINGLE:
            return await self.change(actor, earlier, value=value, text=text)
        feedback_id = new_id()
        event = FeedbackGiven(
            feedback_id=feedback_id,
            conversation_id=message.conversation_id,
            message_id=message.id,
            turn_id=message.turn_id,
            kind=kind,
            value=value,
            text=text,
        )
        await self._append(actor, feedback_id, event)
        return await self.get(feedback_id)

    async def change(
        self, actor: Actor, row: FeedbackRow, *, value: Literal[-1, 1] | None, text: str | None
    ) -> FeedbackRow:
        """Change a thumb's value or the words of the others. Raises WrongFeedback for the other one."""
        if (row.kind == "thumb") != (value is not None):
            raise WrongFeedback("A thumb has a value, all other feedback has text.", kind=row.kind)
        if (value, text) != (row.value, row.text):
            await self._append(actor, row.id, FeedbackChanged(feedback_id=row.id, value=value, text=text))
        return await self.get(row.id)

    async def withdraw(self, actor: Actor, row: FeedbackRow) -> None:
        """Take feedback back."""
        await self._append(actor, row.id, FeedbackWithdrawn(feedback_id=row.id))

    async def _append(
        self, actor: Actor, feedback_id: UUID, event: FeedbackGiven | FeedbackChanged | FeedbackWithdrawn
    ) -> None:
        meta = Meta(
            owner=str(actor.account_id),
            tenant=actor.tenant_id,
            actor=str(actor.account_id),
            stream=f"feedback-{feedback_id}",
            correlation=current_correlation(),
        )
        position = await self._log.append(event, meta)
        await self._log.wait_for(position, PROJECTION)
