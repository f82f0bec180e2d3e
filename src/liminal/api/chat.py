"""/v1/chat: a whole turn in one request, for clients without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
from pydantic import Field, JsonValue

from liminal.api.call import Call
from liminal.api.conversation_views import Message
from liminal.api.conversations import message_view
from liminal.api.endpoint import Noun
from liminal.api.errors import TurnEnded
from liminal.api.schema import Body, View
from liminal.chat.frames import MAX_CONTENT, Options, Send
from liminal.chat.turns import Begun
from liminal.log.ids import new_id

chat = Noun("chat")

_EXAMPLE: dict[str, JsonValue] = {"content": "How many metres are 3 miles?"}


class NewTurn(Body):
    """A user message, in a new conversation unless one is named."""

    model_config = Body.model_config | {"json_schema_extra": {"examples": [_EXAMPLE]}}

    conversation_id: UUID | None = None
    parent_id: UUID | None = None
    content: str = Field(min_length=1, max_length=MAX_CONTENT)
    options: Options = Options()


class FinishedTurn(View):
    """Both messages of a turn."""

    turn_id: UUID
    conversation_id: UUID
    user_message: Message
    assistant_message: Message


@chat.route("POST", "/v1/chat", action="chat.turn", reply=FinishedTurn, slot="turn", errors=(404, 409, 502))
async def post_turn(call: Call, json: NewTurn) -> FinishedTurn:
    """Say something and wait for the whole answer."""
    command = Send(
        cmd="send",
        client_id=new_id(),
        conversation_id=json.conversation_id,
        parent_id=json.parent_id,
        content=json.content,
        options=json.options,
    )
    begun = await call.services.turns.send(call.actor, command, origin="api")
    await answer_of(call, begun)
    conversations = call.services.conversations
    return FinishedTurn(
        turn_id=begun.turn_id,
        conversation_id=begun.conversation_id,
        user_message=message_view(await conversations.message(begun.user_message_id)),
        assistant_message=message_view(await conversations.message(begun.assistant_message_id)),
    )


async def answer_of(
    call: Call, begun: Begun, hear: Callable[[dict[str, Any]], None] | None = None
) -> dict[str, Any]:
    """The message of a turn's last frame, once the history shows it too; ``hear`` gets its token frames.

    Raises TurnEnded when the turn failed or was cancelled.
    """
    last: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    def sink(_turn: UUID, _seq: int, kind: str, frame: bytes, final: bool) -> bool:
        if hear is not None and kind == "token":
            hear(orjson.loads(frame))
        if final and not last.done():
            last.set_result(orjson.loads(frame))
        return True

    hub = call.services.hub
    subscription = await hub.subscribe(begun.turn_id, 0, sink)
    try:
        frame = await last
    finally:
        hub.unsubscribe(subscription)
    if frame["type"] != "message_done":
        raise TurnEnded(
            str(frame["message"]) if frame["type"] == "error" else "The turn was cancelled.",
            turn_id=str(begun.turn_id),
            reason=frame.get("code", "cancelled"),
        )
    message: dict[str, Any] = frame["message"]
    return message
