"""What the model is given to read: the branch that leads to a message, cut to the window in tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from liminal.errors import LiminalError
from liminal.storage.postgres import Pool

_BRANCH = """
    WITH RECURSIVE branch AS (
        SELECT message_id, parent_id, role, content, 1 AS depth FROM read.messages
        WHERE message_id = $1 AND conversation_id = $2
        UNION ALL
        SELECT m.message_id, m.parent_id, m.role, m.content, b.depth + 1
        FROM read.messages m JOIN branch b ON m.message_id = b.parent_id
        WHERE m.conversation_id = $2 AND b.depth < $3
    )
    SELECT message_id, role, content FROM branch ORDER BY depth DESC
"""
LONGEST_BRANCH = 2000
"""Messages read at most; no window holds more."""


class PromptTooLong(LiminalError):
    """The last message alone does not fit the model's window."""

    code = "prompt_too_long"


@dataclass(frozen=True, slots=True)
class ContextMessage:
    """One message as the model reads it."""

    role: str
    content: str


async def branch_of(pool: Pool, conversation_id: UUID, message_id: UUID) -> list[ContextMessage]:
    """The messages from the root to ``message_id``, oldest first; erased ones are left out."""
    rows = await pool.fetch(_BRANCH, message_id, conversation_id, LONGEST_BRANCH)
    return [ContextMessage(row["role"], row["content"]) for row in rows if row["content"]]


def fit(
    messages: Sequence[ContextMessage],
    instructions: Sequence[ContextMessage],
    count: Callable[[Sequence[ContextMessage]], int],
    room: int,
) -> list[ContextMessage]:
    """Instructions and as many of the newest messages as fit into ``room`` tokens, counted by ``count``.

    Whole exchanges are dropped from the old end, so that what remains begins with a user message. Raises
    PromptTooLong when even the last message does not fit.
    """
    starts = [i for i, message in enumerate(messages) if message.role == "user"] or [0]
    low, high = 0, len(starts) - 1
    while low < high:  # the first start from which everything fits: the count falls as the start rises
        middle = (low + high) // 2
        if count([*instructions, *messages[starts[middle] :]]) <= room:
            high = middle
        else:
            low = middle + 1
    kept = [*instructions, *messages[starts[low] :]]
    tokens = count(kept)
    if tokens > room:
        raise PromptTooLong(
            f"The message is {tokens:,} tokens long with its instructions; the model reads {room:,} at most.",
            tokens=tokens,
            room=room,
        )
    return kept
