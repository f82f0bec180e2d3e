"""One chat websocket: commands in, frames of many turns out, through a bounded queue."""

from __future__ import annotations

import asyncio
import contextlib
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
from liminal.chat.slots import TurnSlots
from liminal.chat.streams import FrameHub, Subscription
from liminal.chat.turns import Begun, Turns
from liminal.chat.views import message_view
from liminal.errors import LiminalError
from liminal.identity.actor import Actor
from liminal.identity.limits import Limits, plan_of
from liminal.log.position import Position

log = structlog.get_logger(__name__)

QUEUE = 512
"""Frames that may wait for a reader; when they do, no more are fetched for it."""
STALLED = 10.0
"""Seconds that a reader may take for one frame before its socket is closed."""
CLOSING = 5.0
"""Seconds in which a close can be sent to a reader, which may not be reading."""


class CommandFailed(LiminalError):
    """A command came to no end; sending it again does no harm."""

    code = "internal"


RETRYABLE = frozenset(
    {"internal", "broker_unavailable", "stale", "append_unknown", "rate_limited", "too_many_at_once"}
)


class Socket(Protocol):
    """What a session needs of its websocket."""

    async def receive(self) -> str | bytes: ...
    async def send_text(self, data: str) -> None: ...
    async def close(self, code: int = 1000, reason: str | None = None) -> None: ...


class CloseCode:
    """Why a socket was closed, beyond RFC 6455; docs/protocol.md says what a client does about each."""

    NOT_AUTHENTICATED = 4401
    REPLACED = 4409
    TOO_SLOW = 4429


CLOSE_CODES = {
    CloseCode.NOT_AUTHENTICATED: "not signed in, signed out, suspended",
    CloseCode.REPLACED: "a newer socket of the account took this one's place",
    CloseCode.TOO_SLOW: f"the reader took no frame for {STALLED:g} s",
}


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
        self._behind: dict[UUID, int] = {}
        self._repeated: dict[UUID, TurnSlots] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._seen: Position | None = None

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
                    async with asyncio.timeout(CLOSING):
                        await self._socket.close(code, reason)
        finally:
            await self._stop(tasks)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()):
                raise error

    async def _stop(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._background, return_exceptions=True)
        for subscription in list(self._subscriptions.values()):
            self._hub.unsubscribe(subscription)

    async def _receive(self) -> None:
        while True:
            text = await self._socket.receive()
            client_id: Any = None
            turn_id: Any = None
            try:
                command = parse_command(text)
                client_id = getattr(command, "client_id", None)
                turn_id = getattr(command, "turn_id", None)
                await self._handle(command)
            except LiminalError as error:
                self._refuse(error, client_id, turn_id)
            except Exception:
                # a part that is away, or a defect: the socket and its other turns outlive it
                log.exception("socket.command_failed")
                self._refuse(CommandFailed("The command failed; try again."), client_id, turn_id)

    async def _send(self) -> None:
        while True:
            text = await self._queue.get()
            try:
                async with asyncio.timeout(STALLED):
                    await self._socket.send_text(text)
            except TimeoutError:
                return self.end(CloseCode.TOO_SLOW, "too slow: resume")
            if self._behind and self._queue.qsize() <= QUEUE // 2:
                behind, self._behind = self._behind, {}
                for turn_id, after in behind.items():
                    await self._follow(turn_id, after)

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
        turn_id = self._turns.turn_id(self.actor, command.client_id)
        slots = TurnSlots(self._limits, self.actor.account_id)
        await slots.take(turn_id, plan_of(self.actor.plan))
        try:
            match command:
                case Send():
                    begun = await self._turns.send(self.actor, command)
                case Edit():
                    begun = await self._turns.edit(self.actor, command)
                case Regenerate():
                    begun = await self._turns.regenerate(self.actor, command)
        except BaseException:
            await slots.give_back(turn_id)
            raise
        self._seen = begun.position or self._seen
        self._frame(_accepted(begun, command.client_id))
        if begun.repeated:
            # it may be over, and then nobody else gives its slot back
            self._repeated[turn_id] = slots
            await self._resume(turn_id, 0)
        else:
            await self._follow(turn_id, 0)

    async def _resume(self, turn_id: UUID, after: int) -> None:
        # while the frames are gone or not yet there, the history knows which; a turn may have begun and ended
        # between two looks
        final = None if await self._hub.exists(turn_id) else await self._turns.outcome(turn_id)
        if final is None or await self._hub.exists(turn_id):
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
        return self._over(turn_id)

    async def _follow(self, turn_id: UUID, after: int) -> None:
        self._behind.pop(turn_id, None)
        if (old := self._subscriptions.pop(turn_id, None)) is not None:
            self._hub.unsubscribe(old)
        subscription = await self._hub.subscribe(turn_id, after, self._sink)
        if not subscription.done.is_set():
            self._subscriptions[turn_id] = subscription

    def _sink(self, turn_id: UUID, seq: int, _kind: str, frame: bytes, final: bool) -> bool:
        if self._queue.full():
            self._subscriptions.pop(turn_id, None)
            self._behind[turn_id] = seq - 1
            return False
        self._queue.put_nowait(frame.decode())
        if final:
            self._subscriptions.pop(turn_id, None)
            self._over(turn_id)
        return True

    def _over(self, turn_id: UUID) -> None:
        if (slots := self._repeated.pop(turn_id, None)) is not None:
            task = asyncio.create_task(slots.give_back(turn_id))
            self._background.add(task)
            task.add_done_callback(self._background.discard)


def _accepted(begun: Begun, client_id: UUID) -> Accepted:
    return Accepted(
        turn_id=begun.turn_id,
        client_id=client_id,
        conversation_id=begun.conversation_id,
        user_message_id=begun.user_message_id,
        assistant_message_id=begun.assistant_message_id,
        parent_id=begun.parent_id,
    )
