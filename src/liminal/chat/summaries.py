"""Summaries of conversations, as the read models have them.

A conversation that outgrew the model's window has one artifact, ``memory.summary.<conversation_id>``. Each
version tells what was said from the root up to one message (``through``), so it stands for the beginning of
every branch that holds that message: branches share the artifact, and each finds the versions that are its.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from liminal.chat.context import ContextMessage, Count, PromptTooLong, fit
from liminal.storage.pages import Page, decode_cursor, encode_cursor
from liminal.storage.postgres import Pool

_VERSIONS = """
    SELECT version, body ->> 'text' AS text, (body ->> 'through')::uuid AS through,
           (body ->> 'messages')::int AS messages, body ->> 'model' AS model, created_at
    FROM read.artifact_versions
    WHERE owner_id = $1 AND artifact_id = $2 AND body ->> 'text' IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Summary:
    """One version: the words of the model about the first ``messages`` messages of a branch.

    Attributes:
        through: the last message that it covers.
        model: the model that wrote it.
    """

    version: int
    text: str
    through: UUID
    messages: int
    model: str
    created_at: datetime | None = None

    def as_message(self) -> ContextMessage:
        """The summary as the model reads it."""
        return ContextMessage("system", f"Notes on what was said before in this conversation:\n{self.text}")


@dataclass(frozen=True, slots=True)
class Window:
    """What the model reads of a branch.

    Attributes:
        summary: stands for the messages before the first one here; None when there is none, or no need.
        left_out: messages that neither this window nor the summary holds.
    """

    messages: list[ContextMessage]
    summary: Summary | None = None
    left_out: int = 0


def artifact_of(conversation_id: UUID) -> str:
    """The id of the artifact that holds a conversation's summaries."""
    return f"memory.summary.{conversation_id}"


async def newest_version(pool: Pool, owner: str, conversation_id: UUID) -> int | None:
    """The number of the newest summary, of any branch; None while there is none."""
    return await pool.fetchval(
        "SELECT version FROM read.artifacts WHERE owner_id = $1 AND artifact_id = $2",
        owner,
        artifact_of(conversation_id),
    )


async def summary_of_branch(
    pool: Pool, owner: str, conversation_id: UUID, branch: Sequence[ContextMessage], up_to: int
) -> Summary | None:
    """The summary that covers most of a branch, among versions up to ``up_to``."""
    row = await pool.fetchrow(
        f"""{_VERSIONS} AND version <= $3 AND (body ->> 'through')::uuid = ANY($4)
            ORDER BY messages DESC, version DESC LIMIT 1""",
        owner,
        artifact_of(conversation_id),
        up_to,
        [message.id for message in branch],
    )
    return None if row is None else _summary(row)


async def summaries_of(
    pool: Pool, owner: str, conversation_id: UUID, *, cursor: str | None, limit: int
) -> Page[Summary]:
    """All summaries of a conversation, newest first. Raises BadCursor."""
    (before,) = decode_cursor(cursor, int) if cursor else [None]
    rows = await pool.fetch(
        f"{_VERSIONS} AND ($3::int IS NULL OR version < $3) ORDER BY version DESC LIMIT $4",
        owner,
        artifact_of(conversation_id),
        before,
        limit + 1,
    )
    page = [_summary(row) for row in rows[:limit]]
    return Page(page, encode_cursor(page[-1].version) if len(rows) > limit else None)


def window(
    branch: Sequence[ContextMessage],
    instructions: Sequence[ContextMessage],
    summary: Summary | None,
    count: Count,
    room: int,
) -> Window:
    """A branch that does not fit ``room`` tokens, as far as it does: the summary and the newest exchanges.

    Without a summary the oldest exchanges are left out. Raises PromptTooLong.
    """
    if summary is not None:
        covered = next(i for i, message in enumerate(branch, 1) if message.id == summary.through)
        after = branch[covered:]
        try:
            kept = fit(after, [*instructions, summary.as_message()], count, room)
        except PromptTooLong:
            pass  # the last message is so long that it fits alone at best
        else:
            return Window(kept, summary, len(after) - len(kept))
    kept = fit(branch, instructions, count, room)
    return Window(kept, None, len(branch) - len(kept))


def _summary(row: Record) -> Summary:
    return Summary(
        version=row["version"],
        text=row["text"],
        through=row["through"],
        messages=row["messages"],
        model=row["model"],
        created_at=row["created_at"],
    )
