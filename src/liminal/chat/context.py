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
LONGEST_ANSWER = 2048
"""Tokens of an answer when nobody said how long it may be."""


class PromptTooLong(LiminalError):
    """The last message alone does not fit the model's window."""

    code = "prompt_too_long"


@dataclass(frozen=True, slots=True)
class ContextMessage:
    """One message as the model reads it."""

    role: str
    content: str
    id: UUID | None = None


Count = Callable[[Sequence[ContextMessage]], int]
"""Tokens of a prompt that is made of these messages."""


async def branch_of(pool: Pool, conversation_id: UUID, message_id: UUID) -> list[ContextMessage]:
    """The messages from the root to ``message_id``, oldest first; erased ones are left out."""
    rows = await pool.fetch(_BRANCH, message_id, conversation_id, LONGEST_BRANCH)
    return [ContextMessage(row["role"], row["content"], row["message_id"]) for row in rows if row["content"]]


def room_for_prompt(context_length: int, longest_answer: int | None) -> int:
    """Tokens that a prompt may have, so that its answer has room: a quarter of the window at most."""
    return context_length - min(longest_answer or LONGEST_ANSWER, context_length // 4)


def exchanges_of(messages: Sequence[ContextMessage]) -> list[int]:
    """Where the exchanges begin: the indices of user messages, the first message in any case."""
    starts = [i for i, message in enumerate(messages) if message.role == "user"]
    return starts if starts and starts[0] == 0 else [0, *starts]


def plain(messages: Sequence[ContextMessage]) -> list[dict[str, str]]:
    """The messages as a backend takes them; chat templates want a single system message, at the beginning."""
    system = "\n\n".join(message.content for message in messages if message.role == "system")
    others = [
        {"role": message.role, "content": message.content} for message in messages if message.role != "system"
    ]
    return [{"role": "system", "content": system}, *others] if system else others


def fit(
    messages: Sequence[ContextMessage], instructions: Sequence[ContextMessage], count: Count, room: int
) -> list[ContextMessage]:
    """As many of the newest messages as fit into ``room`` tokens together with the instructions.

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
    kept = list(messages[starts[low] :])
    tokens = count([*instructions, *kept])
    if tokens > room:
        raise PromptTooLong(
            f"The message is {tokens:,} tokens long with its instructions; the model reads {room:,} at most.",
            tokens=tokens,
            room=room,
        )
    return kept
