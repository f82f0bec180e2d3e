"""The frames of a turn on their way from the worker that decodes to the sockets that read.

One Redis stream per turn. The entry id of a frame is ``0-<seq>``, so Redis itself refuses a frame twice and a
reader resumes by number. Whoever works on a turn holds its epoch; taking the turn over raises the epoch, and
frames of an older epoch are refused, which is what stops a worker that was thought dead.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self, cast
from uuid import UUID, uuid4

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from liminal.chat.frames import FINAL_TYPES, TURN_FRAMES, Token
from liminal.chat.keys import STREAM_TTL, Keys
from liminal.errors import LiminalError

log = structlog.get_logger(__name__)

BLOCK_MS = 2000
"""Milliseconds of one blocking read; shorter than the client's own socket timeout of 5 s."""

_APPEND = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local seq = last[1] and tonumber(string.match(last[1][1], '%d+$')) or 0
for i = 4, #ARGV, 3 do
  -- a frame that is there already came with an earlier try, whose reply was lost
  if tonumber(ARGV[i]) > seq then
    redis.call('XADD', KEYS[1], '0-' .. ARGV[i], 't', ARGV[i + 1], 'f', ARGV[i + 2])
  end
end
-- whoever waited for this turn has its first token, or its end
if ARGV[#ARGV - 1] ~= 'routed' then redis.call('ZREM', KEYS[3], KEYS[1]) end
if ARGV[3] == '1' and redis.call('ZREM', KEYS[4], KEYS[1]) == 1 then redis.call('PUBLISH', KEYS[4], '') end
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
"""


class Superseded(LiminalError):
    """Another worker took this turn over; stop without a word."""

    code = "turn_superseded"


@dataclass(slots=True)
class OpenTurn:
    """A turn as its worker writes it.

    Attributes:
        said: the text that clients were already sent.
        weighed: of how many tokens they were sent the log-probability.
        cancelled: somebody asked to stop it before it was opened.
    """

    turn_id: UUID
    epoch: int
    seq: int = 0
    said: str = ""
    weighed: int = 0
    finished: bool = False
    cancelled: bool = False
    types: set[str] = field(default_factory=set[str])
    superseded: bool = False
    pending: list[TURN_FRAMES] = field(default_factory=list[TURN_FRAMES])


class FrameWriter:
    """Writes frames of many turns; what gathers while Redis answers goes out in one round trip."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._append = redis.register_script(_APPEND)
        self._dirty: dict[UUID, OpenTurn] = {}
        self._wake = asyncio.Event()
        self._flushed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="frame-writer")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        if self._dirty:
            await self._flush()

    async def open(self, turn_id: UUID) -> OpenTurn:
        """Take a turn: older holders are fenced, and what they already sent is known."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.incr(self._keys.epoch(turn_id))
        pipe.expire(self._keys.epoch(turn_id), STREAM_TTL)
        for key in (self._keys.waiting, self._keys.answering):
            pipe.zadd(key, {self._keys.frames(turn_id): time.time()}, nx=True)
        pipe.publish(self._keys.answering, "")
        pipe.exists(self._keys.cancel(turn_id))
        pipe.xrange(self._keys.frames(turn_id))
        epoch, _, _, _, _, cancelled, entries = await pipe.execute()
        turn = OpenTurn(turn_id, int(epoch), cancelled=bool(cancelled))
        for entry_id, fields in entries:
            kind = fields[b"t"].decode()
            turn.seq = int(entry_id.split(b"-")[1])
            turn.types.add(kind)
            turn.finished = turn.finished or kind in FINAL_TYPES
            if kind == "token":
                _say(turn, Token.model_validate_json(fields[b"f"]))
        if turn.finished:
            for key in (self._keys.waiting, self._keys.answering):
                await self._redis.zrem(key, self._keys.frames(turn_id))
        return turn

    def write(self, turn: OpenTurn, frame: TURN_FRAMES) -> None:
        """Queue a frame. Raises Superseded once another worker holds the turn."""
        if turn.superseded:
            raise Superseded("another worker holds this turn", turn_id=str(turn.turn_id))
        last = turn.pending[-1] if turn.pending else None
        if isinstance(last, Token) and isinstance(frame, Token):
            turn.pending[-1] = last.and_then(frame)
        else:
            turn.pending.append(frame)
        if isinstance(frame, Token):
            _say(turn, frame)
        self._dirty[turn.turn_id] = turn
        self._wake.set()

    async def drain(self, turn: OpenTurn) -> None:
        """Return when everything written to the turn is in Redis. Raises Superseded like ``write``."""
        async with self._flushed:
            await self._flushed.wait_for(lambda: turn.turn_id not in self._dirty or turn.superseded)
        if turn.superseded:
            raise Superseded("another worker holds this turn", turn_id=str(turn.turn_id))

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._flush()
            except (RedisConnectionError, RedisTimeoutError) as error:
                # frames stay queued: a Redis that comes back gets all of them
                log.warning("frames.redis_away", error=str(error))
                self._wake.set()
                await asyncio.sleep(0.2)

    async def _flush(self) -> None:
        turns = list(self._dirty.values())
        if not turns:
            return
        pipe, keys = self._redis.pipeline(transaction=False), self._keys
        # what is being sent leaves ``pending``: a token that comes meanwhile must not join a frame on its way
        taken = [(turn, turn.pending) for turn in turns]
        for turn, sent in taken:
            turn.pending = []
            await self._append(
                keys=[keys.frames(turn.turn_id), keys.epoch(turn.turn_id), keys.waiting, keys.answering],
                args=_arguments(turn, sent),
                client=pipe,
            )
        try:
            replies = await pipe.execute(raise_on_error=False)
        except BaseException:
            for turn, sent in taken:
                turn.pending = [*sent, *turn.pending]
            raise
        for (turn, sent), reply in zip(taken, replies, strict=True):
            self._settle(turn, sent, reply)
        async with self._flushed:
            self._flushed.notify_all()

    def _settle(self, turn: OpenTurn, sent: list[TURN_FRAMES], reply: Any) -> None:
        if isinstance(reply, Exception):
            log.error("frames.refused", turn=str(turn.turn_id), error=str(reply))
            turn.superseded = True
        turn.superseded = turn.superseded or reply == 0
        turn.seq += len(sent)
        if not turn.pending or turn.superseded:
            self._dirty.pop(turn.turn_id, None)
        else:
            self._wake.set()


def _say(turn: OpenTurn, frame: Token) -> None:
    turn.said += frame.text
    turn.weighed += len(frame.logprobs or ())


def _arguments(turn: OpenTurn, frames: list[TURN_FRAMES]) -> list[Any]:
    ended = any(frame.type in FINAL_TYPES for frame in frames)
    arguments: list[Any] = [turn.epoch, STREAM_TTL, int(ended)]
    for seq, frame in enumerate(frames, start=turn.seq + 1):
        sent = frame.model_copy(update={"turn_id": turn.turn_id, "seq": seq})
        arguments += [seq, frame.type, orjson.dumps(sent.model_dump(mode="json"))]
    return arguments


Sink = Callable[[UUID, int, str, bytes, bool], bool]
"""Receives (turn, seq, frame type, frame as JSON, whether it is the last), in order, without gaps.

False: there is no room for this frame. The subscription ends, and whoever made it subscribes again, from this
frame on, once there is room.
"""
AT_ONCE = 256
"""Frames of one turn that are read at once."""


@dataclass(slots=True, eq=False)
class Subscription:
    """One reader of one turn.

    ``done`` is set when the last frame was handed over, when one was not taken, or on cancel.
    """

    turn_id: UUID
    after: int
    sink: Sink
    done: asyncio.Event = field(default_factory=asyncio.Event)


class FrameHub:
    """Reads the streams of all turns that someone in this process listens to, over one connection."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._node = f"{keys.namespace}:wake:{uuid4()}"
        self._subscriptions: dict[UUID, list[Subscription]] = {}
        self._cursors: dict[UUID, int] = {}
        self._fresh: list[Subscription] = []
        self._wake_id = b"0-0"
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="frame-hub")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._redis.delete(self._node)
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.done.set()

    async def subscribe(self, turn_id: UUID, after: int, sink: Sink) -> Subscription:
        """Hand every frame of the turn with ``seq > after`` to ``sink``, then what comes live."""
        subscription = Subscription(turn_id, after, sink)
        self._fresh.append(subscription)
        await self._wake()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop handing frames to it."""
        subscription.done.set()
        with contextlib.suppress(ValueError):
            self._fresh.remove(subscription)
        readers = self._subscriptions.get(subscription.turn_id, [])
        with contextlib.suppress(ValueError):
            readers.remove(subscription)
        if not readers:
            self._subscriptions.pop(subscription.turn_id, None)
            self._cursors.pop(subscription.turn_id, None)

    async def exists(self, turn_id: UUID) -> bool:
        """Whether frames of the turn are still (or already) there."""
        return bool(await self._redis.exists(self._keys.frames(turn_id)))

    async def _wake(self) -> None:
        pipe = self._redis.pipeline(transaction=False)
        pipe.xadd(self._node, {"w": b"1"}, maxlen=1, approximate=False)
        pipe.expire(self._node, STREAM_TTL)
        await pipe.execute()

    async def _run(self) -> None:
        while True:
            try:
                await self._admit()
                await self._read()
            except (RedisConnectionError, RedisTimeoutError) as error:
                log.warning("hub.redis_away", error=str(error))
                await asyncio.sleep(0.2)
            except Exception:
                # one reader's error is not the others' end
                log.exception("hub.failed")
                await asyncio.sleep(0.2)

    async def _admit(self) -> None:
        while self._fresh:
            subscription = self._fresh[0]
            if (cursor := self._cursors.get(subscription.turn_id)) is not None:
                await self._catch_up(subscription, cursor)
            if subscription in self._fresh:
                self._fresh.remove(subscription)
                if not subscription.done.is_set():
                    # those who were there may have left while it caught up, and their cursor with them
                    self._cursors.setdefault(subscription.turn_id, subscription.after)
                    self._subscriptions.setdefault(subscription.turn_id, []).append(subscription)

    async def _catch_up(self, subscription: Subscription, cursor: int) -> None:
        while subscription.after < cursor and not subscription.done.is_set():
            key, after = self._keys.frames(subscription.turn_id), f"(0-{subscription.after}"
            entries = await self._redis.xrange(key, after, f"0-{cursor}", count=AT_ONCE)
            if not entries:  # the stream is gone
                return
            self._deliver([subscription], entries)

    async def _read(self) -> None:
        streams: dict[Any, Any] = {self._node: self._wake_id}
        streams.update({self._keys.frames(turn): f"0-{cursor}" for turn, cursor in self._cursors.items()})
        reply = cast(
            Iterable[tuple[bytes, Any]], await self._redis.xread(streams, count=AT_ONCE, block=BLOCK_MS) or ()
        )
        items = reply.items() if isinstance(reply, dict) else reply
        for key, entries in items:
            name = key.decode() if isinstance(key, bytes) else str(key)
            if name == self._node:
                self._wake_id = entries[-1][0]
                continue
            turn_id = UUID(name.rsplit(":", 1)[1])
            if turn_id in self._cursors:
                self._cursors[turn_id] = int(entries[-1][0].split(b"-")[1])
                self._deliver(list(self._subscriptions.get(turn_id, ())), entries)

    def _deliver(self, subscriptions: list[Subscription], entries: Any) -> None:
        for entry_id, fields in entries:
            seq, kind = int(entry_id.split(b"-")[1]), fields[b"t"].decode()
            for subscription in subscriptions:
                if subscription.done.is_set() or seq <= subscription.after:
                    continue
                final = kind in FINAL_TYPES
                taken = subscription.sink(subscription.turn_id, seq, kind, fields[b"f"], final)
                if taken:
                    subscription.after = seq
                if final or not taken:
                    self.unsubscribe(subscription)
