"""A message as frames carry it: the same fields as GET /v1/conversations/{id}/messages gives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from liminal.chat.conversations import MessageRow
from liminal.log.events import MessagePosted


def message_view(row: MessageRow) -> dict[str, Any]:
    """A message of the history."""
    return {
        "id": str(row.id),
        "conversation_id": str(row.conversation_id),
        "parent_id": str(row.parent_id) if row.parent_id else None,
        "role": row.role,
        "content": row.content,
        "turn_id": str(row.turn_id) if row.turn_id else None,
        "created_at": row.created_at.isoformat(),
        "status": row.status,
        "trace": row.trace,
        "citations": row.citations,
        "usage": row.usage,
    }


def posted_view(message: MessagePosted) -> dict[str, Any]:
    """A message that was posted just now, before the history shows it."""
    data = message.model_dump(mode="json")
    return {
        "id": data["message_id"],
        "created_at": datetime.now(UTC).isoformat(),
        **{
            name: data[name]
            for name in (
                "conversation_id",
                "parent_id",
                "role",
                "content",
                "turn_id",
                "status",
                "trace",
                "citations",
                "usage",
            )
        },
    }
