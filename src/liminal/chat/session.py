"""One chat websocket: commands in, frames of many turns out, through a bounded queue."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol
from uuid import UUID

import orjson
import structlog
from pydantic import BaseModel

from liminal.chat.frames import (
    Accepted,
    Cancel,
    Cancelled,
    Command,
    Edit,
    ErrorFrame,
    MessageDone,
    Ping,
    Pong,
    Regenerate,
    Resume,
    Send,
    Usage,
    parse_command,
)
from liminal.chat.streams import FrameHub, Subscription
from liminal.chat.turns import Begun, Turns
from liminal.chat.views import message_view
from liminal.errors import LiminalError
from liminal.identity.actor import Actor
from liminal.identity.limits import Bucket, Limits, plan_of
from liminal.log.position import Position

log = structlog.get_logger(__name__)

QUEUE = 512
"""Frames that may wait for a slow reader before its socket is closed; it resumes when it has caught up."""
TURN_LEASE = 660.0
"""Seconds after which the slot of a turn frees itself when this process died; longer than any turn."""
RETRYABLE = frozenset({"broker_unavailable", "stale", "append_unknown", "rate_limited", "too_many_at_once"})


class Socket(Protocol):
    """What a session needs of its websocket."""

    async def receive_text(self) -> str: ...
    async def send_text(self, data: str) -> None: ...
    async def close(self, code: int = 1000, reason: str | None = None) -> None: ...


class CloseCode:
    """Why a socket was closed, beyond RFC 6455; docs/protocol.md says what a client does about each."""

    NOT_AUTHENTICATED = 4401
    REPLACED = 4409
    TOO_SLOW = 4429


class Session:
    """The life of one socket."""

    def __init__(self, actor: Actor, socket: Socket, turns: Turns, hub: FrameHub, limits: Limits) -> None:
        self.actor = actor
        self._socket = socket
        self._turns = turns
        self._hub = hub
        self._limits = limits
        self._queue: asyncio.Queue[str] = asyncio.Queue(QUEUE)
        self._subscriptions: dict[UUID, Subscription] = {}
        self._slots: dict[UUID, AsyncExitStack] = {}
        self._ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._seen: Position | None = None
        self._background: set[asyncio.Task[Any]] = set()

    def end(self, code: int, reason: str) -> None:
        """Close the socket; turns go on, and the client resumes them on another one."""
        if not self._ended.done():
            self._ended.set_result((code, reason))

    async def run(self) -> None:
        """Serve until the client goes or ``end`` is called. The socket's disconnect exception passes."""
        tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._send())]
        try:
            await asyncio.wait([*tasks, self._ended], return_when=asyncio.FIRST_COMPLETED)
            if self._ended.done():
                code, reason = self._ended.result()
                with contextlib.suppress(Exception):  # the client may be gone already
                    await self._socket.close(code, reason)
        finally:
            await self._stop(tasks)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()):
                raise error

    async def _stop(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in (*tasks, *self._background):
            task.cancel()
        await asyncio.gather(*tasks, *self._background, return_exceptions=True)
        for subscription in list(self._subscriptions.values()):
            self._hub.unsubscribe(subscription)
        for stack in list(self._slots.values()):
            await stack.aclose()

    async def _receive(self) -> None:
        while True:
            text = await self._socket.receive_text()
            client_id: Any = None
            turn_id: Any = None
            try:
                command = parse_command(text)
                client_id = getattr(command, "client_id", None)
                turn_id = getattr(command, "turn_id", None)
                await self._handle(command)
            except LiminalError as error:
                self._refuse(error, client_id, turn_id)

    async def _send(self) -> None:
        while True:
            await self._socket.send_text(await self._queue.get())

    def _put(self, text: str) -> None:
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self.end(CloseCode.TOO_SLOW, "too slow: resume")

    def _frame(self, frame: BaseModel) -> None:
        self._put(frame.model_dump_json())

    def _refuse(self, error: LiminalError, client_id: UUID | None, turn_id: UUID | None = None) -> None:
        details: dict[str, Any] = orjson.loads(orjson.dumps(dict(error.details), default=str))
        self._frame(
            ErrorFrame(
                turn_id=turn_id,
                code=error.code,
                message=error.message,
                retryable=error.code in RETRYABLE,
                client_id=client_id,
                details=details,
            )
        )

    async def _handle(self, command: Command) -> None:
        match command:
            case Ping():
                self._frame(Pong())
            case Cancel():
                await self._turns.cancel(self.actor, command.turn_id)
            case Resume():
                await self._turns.check_owner(self.actor, command.turn_id)
                await self._resume(command.turn_id, command.after_seq)
            case Send() | Edit() | Regenerate():
                await self._begin(command)

    async def _begin(self, command: Send | Edit | Regenerate) -> None:
        if self._seen is not None:  # the client may name what it made a moment ago
            await self._turns.wait_for(self._seen)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(turn_slot(self._limits, self.actor))
            match command:
                case Send():
                    begun = await self._turns.send(self.actor, command)
                case Edit():
                    begun = await self._turns.edit(self.actor, command)
                case Regenerate():
                    begun = await self._turns.regenerate(self.actor, command)
            if not begun.repeated:
                self._slots[begun.turn_id] = stack.pop_all()
        self._seen = begun.position or self._seen
        self._frame(_accepted(begun, command.client_id))
        await self._follow(begun.turn_id, 0)

    async def _resume(self, turn_id: UUID, after: int) -> None:
        if await self._hub.exists(turn_id):
            return await self._follow(turn_id, after)
        # the frames are gone or not yet there: the history knows which
        final = await self._turns.outcome(turn_id)
        if final is None:
            return await self._follow(turn_id, after)
        match final.state:
            case "failed":
                frame: Any = ErrorFrame(
                    code=final.error_code or "internal",
                    message=final.error_message or "The answer could not be made.",
                    retryable=True,
                )
            case "cancelled":
                frame = Cancelled(message=final.message and message_view(final.message))
            case _:
                assert final.message is not None
                usage = final.message.usage or {}
                frame = MessageDone(
                    message=message_view(final.message),
                    finish_reason=(final.message.trace or {}).get("finish_reason") or "stop",
                    usage=Usage(
                        prompt_tokens=usage.get("prompt_tokens", 0),
                        completion_tokens=usage.get("completion_tokens", 0),
                    ),
                )
        self._frame(frame.model_copy(update={"turn_id": turn_id, "seq": after + 1}))
        return None

    async def _follow(self, turn_id: UUID, after: int) -> None:
        if (old := self._subscriptions.pop(turn_id, None)) is not None:
            self._hub.unsubscribe(old)
        subscription = await self._hub.subscribe(turn_id, after, self._sink)
        self._subscriptions[turn_id] = subscription

    def _sink(self, turn_id: UUID, _seq: int, _kind: str, frame: bytes, final: bool) -> None:
        self._put(frame.decode())
        if final:
            self._subscriptions.pop(turn_id, None)
            if (stack := self._slots.pop(turn_id, None)) is not None:
                task = asyncio.create_task(stack.aclose())
                self._background.add(task)
                task.add_done_callback(self._background.discard)


@asynccontextmanager
async def turn_slot(limits: Limits, actor: Actor) -> AsyncGenerator[None]:
    """Count a turn against the account's rate and hold a slot. Raises RateLimited, TooManyAtOnce."""
    plan = plan_of(actor.plan)
    await limits.take(Bucket(f"turns:account:{actor.account_id}", plan.turns))
    async with limits.slot(f"turn:{actor.account_id}", plan.turns_at_once, TURN_LEASE):
        yield


def _accepted(begun: Begun, client_id: UUID) -> Accepted:
    return Accepted(
        turn_id=begun.turn_id,
        client_id=client_id,
        conversation_id=begun.conversation_id,
        user_message_id=begun.user_message_id,
        assistant_message_id=begun.assistant_message_id,
        parent_id=begun.parent_id,
    )
