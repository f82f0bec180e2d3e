"""Answers on the log."""

from __future__ import annotations

import uuid

from tests.steering.conftest import Somebody

from liminal.chat.answering import Answerer
from liminal.log.events import ConversationCreated, MessagePosted


async def answered(somebody: Somebody, answerer: Answerer, text: str) -> str:
    """A whole turn in a conversation of its own; the answer's id."""
    question, routing = await somebody.turn(answerer, text)
    answer_id = uuid.uuid4()
    answer = MessagePosted.model_validate(
        {
            "conversation_id": question.conversation_id,
            "message_id": answer_id,
            "parent_id": question.message_id,
            "role": "assistant",
            "content": "Hello.",
            "turn_id": question.turn_id,
            "trace": routing.trace("stop", 1, {}),
        }
    )
    stream = f"conversation-{question.conversation_id}"
    created = ConversationCreated(conversation_id=question.conversation_id)
    await somebody.append((created, stream), (answer, stream))
    return str(answer_id)
