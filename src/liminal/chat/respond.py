"""The respond reaction: one user message in, one answer out, whoever dies on the way.

A turn is decided on its own stream: ``turn.routed`` is its first version, the answer (or the cancellation,
or the failure) its second. A worker that takes a turn over reads what is decided, follows the recorded
routing and seed, and continues the numbered frames; a worker that lost it is refused by Redis (by its epoch)
and by the log (by the version).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import structlog

from liminal.chat.answering import Answer, Answerer, NoAnswerer, Question
from liminal.chat.conversations import PROJECTION
from liminal.chat.frames import Cancelled, ErrorFrame, MessageDone, Token, Usage
from liminal.chat.routing import Routing, recorded_routing
from liminal.chat.slots import TurnSlots
from liminal.chat.streams import FrameWriter, OpenTurn, Superseded
from liminal.chat.summaries import newest_version
from liminal.chat.views import posted_view
from liminal.errors import LiminalError
from liminal.identity.limits import Limits
from liminal.log.envelope import Meta
from liminal.log.errors import VersionConflict
from liminal.log.events import Event, MessagePosted, TurnCancelled, TurnFailed, TurnOptions
from liminal.log.ids import derived_id
from liminal.log.log import Log
from liminal.log.position import Position
from liminal.log.reaction import Delivery

log = structlog.get_logger(__name__)

TYPES = frozenset({"message.posted", "turn.requested"})
EXPIRES = 900.0
"""Seconds after which nobody waits any more: an older message, such as an imported one, gets no answer."""
ACTOR = "respond"
LOOKS, LOOK_EVERY = 20, 0.1
"""How often the read model is asked for what another worker decided, and seconds between."""


@dataclass(slots=True)
class Turn:
    """What is to be answered, from the event that asked for it."""

    id: UUID
    conversation_id: UUID
    user_message_id: UUID
    assistant_message_id: UUID
    regenerated_from: UUID | None
    owner: str
    tenant: str
    cause: UUID
    position: Position
    question: Question
    asked_at: float = field(default_factory=time.monotonic)
    cancelled: bool = False
    routed: bool = False
    work: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, delivery: Delivery) -> Turn:
        """The turn that an event asks for."""
        event = delivery.event
        turn_id, conversation_id = UUID(event["turn_id"]), UUID(event["conversation_id"])
        message_id = UUID(event.get("user_message_id") or event["message_id"])
        options = TurnOptions.model_validate(event.get("options") or {})
        return cls(
            id=turn_id,
            conversation_id=conversation_id,
            user_message_id=message_id,
            assistant_message_id=UUID(event["assistant_message_id"]),
            regenerated_from=UUID(event["regenerated_from"]) if event.get("regenerated_from") else None,
            owner=event["_owner"],
            tenant=event["_tenant"],
            cause=UUID(event["_id"]),
            position=delivery.position,
            question=Question(
                turn_id,
                conversation_id,
                message_id,
                event["_owner"],
                event["_tenant"],
                options,
                datetime.fromisoformat(event["_time"]),
                event.get("content"),
            ),
        )


def asks_for_answer(event: Mapping[str, Any]) -> bool:
    """Whether an event begins a turn that somebody still waits for."""
    if event["_type"] == "message.posted" and (
        event["role"] != "user" or not event.get("assistant_message_id") or event.get("content") is None
    ):
        return False
    happened = datetime.fromisoformat(event["_time"])
    return (datetime.now(UTC) - happened).total_seconds() < EXPIRES


class Responder:
    """Answers turns."""

    def __init__(
        self,
        log_: Log,
        writer: FrameWriter,
        answerer: Answerer | NoAnswerer,
        limits: Limits,
        longest: float,
    ) -> None:
        """``longest`` is in seconds: what one answer may take."""
        self._log = log_
        self._writer = writer
        self._answerer = answerer
        self._limits = limits
        self._longest = longest
        self._open: dict[UUID, Turn] = {}

    def cancel(self, turn_id: UUID) -> None:
        """Stop a turn that this worker works on."""
        turn = self._open.get(turn_id)
        if turn is not None:
            turn.cancelled = True
            if turn.work is not None:
                turn.work.cancel()

    async def handle(self, delivery: Delivery) -> None:
        """Answer one turn; returns once its end is on the log, or when another worker has it."""
        if not asks_for_answer(delivery.event):
            return
        turn = Turn.of(delivery)
        self._open[turn.id] = turn
        try:
            await self._respond(turn, delivery)
            await TurnSlots(self._limits, turn.owner).give_back(turn.id)
        except Superseded:
            log.info("turn.superseded", turn=str(turn.id))
        finally:
            self._open.pop(turn.id, None)

    async def given_up(self, delivery: Delivery, error: Exception) -> None:
        """Say that no answer could be made, after the last attempt."""
        if not asks_for_answer(delivery.event):
            return
        turn = Turn.of(delivery)
        frames = await self._writer.open(turn.id)
        if not frames.finished:
            turn.routed = recorded_routing(await self._state(turn)) is not None
            await self._fail(turn, frames, error)
        await TurnSlots(self._limits, turn.owner).give_back(turn.id)

    async def _respond(self, turn: Turn, delivery: Delivery) -> None:
        routing: Routing | None = None
        if delivery.maybe_seen:
            # somebody may have worked on it: the read model must know all that was decided before we began
            await self._log.wait_for(Position(delivery.position.partition, delivery.log_end - 1))
            state = await self._state(turn)
            if state is not None and state["state"] in ("answered", "cancelled", "failed"):
                return
            routing = recorded_routing(state)
        frames = await self._writer.open(turn.id)
        if frames.finished:
            return
        turn.cancelled = turn.cancelled or frames.cancelled
        turn.routed = routing is not None
        try:
            await self._decode(turn, frames, routing or await self._decide(turn))
        except (Superseded, VersionConflict):
            raise Superseded("another worker ended this turn", turn_id=str(turn.id)) from None
        except LiminalError as error:
            log.warning("turn.failed", turn=str(turn.id), code=error.code, error=error.message)
            await self._fail(turn, frames, error)

    async def _decide(self, turn: Turn) -> Routing:
        routing, version = await asyncio.gather(
            self._answerer.route(turn.question),
            newest_version(self._log.pool, turn.owner, turn.conversation_id),
        )
        return replace(routing, summary_version=version)

    async def _record(self, turn: Turn, routing: Routing) -> Routing:
        """Put the routing on the log; returns the one that counts: another worker's if it was first."""
        if turn.routed:
            return routing
        event = routing.event(turn.conversation_id, turn.id, turn.user_message_id, turn.assistant_message_id)
        try:
            await self._append(turn, event, "routed", expected=0)
        except VersionConflict:
            for _ in range(LOOKS):
                if recorded := recorded_routing(await self._state(turn)):
                    turn.routed = True
                    return recorded
                await asyncio.sleep(LOOK_EVERY)
            raise
        turn.routed = True
        return routing

    async def _decode(self, turn: Turn, frames: OpenTurn, routing: Routing) -> None:
        """Decode while the routing is being recorded; no word leaves before it is."""
        said, answer = Continuation(frames.said, frames.weighed), Answer()

        def write(piece: Token) -> None:
            if fresh := said.after(piece):
                self._writer.write(frames, fresh)

        gate = _Gate(write)
        work = asyncio.create_task(self._work(turn, routing, answer, lambda piece: gate.emit(piece)))
        try:
            counts = await self._record(turn, routing)
            if counts is routing:
                if "routed" not in frames.types:
                    self._writer.write(frames, routing.frame())
                gate.open()
                await work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        if counts is not routing:
            return await self._decode(turn, frames, counts)
        return await self._finish(turn, frames, routing, answer)

    async def _work(
        self, turn: Turn, routing: Routing, answer: Answer, emit: Callable[[Token], None]
    ) -> None:
        await self._log.wait_for(turn.position, PROJECTION)
        if turn.cancelled:
            return
        turn.work = asyncio.create_task(self._answerer.answer(turn.question, routing, answer, emit))
        try:
            done, _ = await asyncio.wait([turn.work], timeout=self._longest)
        except asyncio.CancelledError:
            turn.work.cancel()  # this worker stops: the next one continues
            raise
        if not done:
            turn.work.cancel()
            await asyncio.wait([turn.work])
            answer.finish_reason = "timeout"
        elif not turn.work.cancelled():
            turn.work.result()

    async def _finish(self, turn: Turn, frames: OpenTurn, routing: Routing, answer: Answer) -> None:
        if turn.cancelled:
            return await self._finish_cancelled(turn, frames, routing, answer)
        message = self._message(turn, frames, routing, answer, "complete")
        await self._append(turn, message, "answer", expected=1)
        self._writer.write(
            frames,
            MessageDone(
                message=posted_view(message),
                finish_reason=answer.finish_reason,
                usage=Usage(prompt_tokens=answer.prompt_tokens, completion_tokens=answer.completion_tokens),
            ),
        )
        return await self._writer.drain(frames)

    async def _finish_cancelled(self, turn: Turn, frames: OpenTurn, routing: Routing, answer: Answer) -> None:
        answer.finish_reason = "cancelled"
        message = None
        if answer.text:
            message = self._message(turn, frames, routing, answer, "cancelled")
            await self._append(turn, message, "answer", expected=1)
        event = TurnCancelled(
            conversation_id=turn.conversation_id,
            turn_id=turn.id,
            reason="user",
            tokens=answer.completion_tokens,
        )
        await self._append(turn, event, "cancelled", expected=1 if message is None else 2)
        self._writer.write(frames, Cancelled(message=posted_view(message) if message else None))
        await self._writer.drain(frames)

    async def _fail(self, turn: Turn, frames: OpenTurn, error: Exception) -> None:
        code = error.code if isinstance(error, LiminalError) else "internal"
        message = error.message if isinstance(error, LiminalError) else "The answer could not be made."
        retryable = code not in ("prompt_too_long", "invalid_request")
        event = TurnFailed(
            conversation_id=turn.conversation_id,
            turn_id=turn.id,
            error_code=code,
            message=message,
            retryable=retryable,
            attempt=frames.epoch,
        )
        await self._append(turn, event, "failed", expected=1 if turn.routed else 0)
        self._writer.write(frames, ErrorFrame(code=code, message=message, retryable=retryable))
        await self._writer.drain(frames)

    def _message(
        self, turn: Turn, frames: OpenTurn, routing: Routing, answer: Answer, status: str
    ) -> MessagePosted:
        return MessagePosted.model_validate(
            {
                "conversation_id": turn.conversation_id,
                "message_id": turn.assistant_message_id,
                "parent_id": turn.user_message_id,
                "role": "assistant",
                "content": answer.text,
                "turn_id": turn.id,
                "regenerated_from": turn.regenerated_from,
                "status": status,
                "trace": {
                    **routing.trace(answer.finish_reason, frames.epoch, answer.timings(turn.asked_at)),
                    "summary_version": answer.summary_version,
                    "left_out": answer.left_out,
                },
                "usage": {
                    "prompt_tokens": answer.prompt_tokens,
                    "completion_tokens": answer.completion_tokens,
                    "cached_tokens": answer.cached_tokens,
                },
            }
        )

    async def _append(self, turn: Turn, event: Event, name: str, expected: int) -> None:
        meta = Meta(
            owner=turn.owner,
            tenant=turn.tenant,
            actor=ACTOR,
            stream=f"turn-{turn.id}",
            causation=turn.cause,
            correlation=turn.id,
            id=derived_id(turn.cause, name),
        )
        await self._log.append(event, meta, expected_version=expected)

    async def _state(self, turn: Turn) -> Mapping[str, Any] | None:
        row = await self._log.pool.fetchrow("SELECT * FROM read.turns WHERE turn_id = $1", turn.id)
        return cast(Mapping[str, Any] | None, row)


class _Gate:
    """Holds the words that come before it is opened."""

    def __init__(self, write: Callable[[Token], None]) -> None:
        self._write = write
        self._held: list[Token] = []
        self.emit: Callable[[Token], None] = self._held.append

    def open(self) -> None:
        """Let out what was held, and what comes from now on."""
        self.emit = self._write
        for piece in self._held:
            self._write(piece)


class Continuation:
    """Skips what clients were already sent, when an answer is decoded again from its beginning."""

    def __init__(self, said: str, weighed: int) -> None:
        self._said = len(said)
        self._weighed = weighed

    def after(self, piece: Token) -> Token | None:
        """The part of ``piece`` that is new, None for nothing."""
        logprobs = piece.logprobs or ()
        fresh = Token(text=piece.text[self._said :], logprobs=logprobs[self._weighed :] or None)
        self._said = max(0, self._said - len(piece.text))
        self._weighed = max(0, self._weighed - len(logprobs))
        return fresh if fresh.text or fresh.logprobs else None
