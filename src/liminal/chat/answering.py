"""From a routed turn to its words: the branch, cut to the window, decoded by a backend."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from liminal.chat.context import ContextMessage, branch_of, fit
from liminal.chat.routing import Routing, route_to_base
from liminal.engine.backend import Backend
from liminal.engine.request import Request, Sampling
from liminal.errors import LiminalError
from liminal.log.events import TurnOptions
from liminal.storage.postgres import Pool

LONGEST_ANSWER = 2048
"""Tokens of an answer when nobody said how long it may be."""


@dataclass(slots=True)
class Answer:
    """An answer as it grows; what is there when a turn is stopped is kept."""

    text: str = ""
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    first_token_at: float | None = None
    ended_at: float = field(default_factory=time.monotonic)

    def timings(self, asked_at: float) -> dict[str, float | None]:
        """Milliseconds from ``asked_at`` (of ``time.monotonic``)."""
        first = None if self.first_token_at is None else round((self.first_token_at - asked_at) * 1000, 2)
        return {"first_token_ms": first, "total_ms": round((self.ended_at - asked_at) * 1000, 2)}


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be answered, for whom."""

    turn_id: UUID
    conversation_id: UUID
    message_id: UUID
    owner: str
    tenant: str
    options: TurnOptions


class Answerer:
    """Makes answers with one backend."""

    def __init__(self, backend: Backend | LiminalError, pool: Pool) -> None:
        self._maybe_backend = backend
        self._pool = pool

    @property
    def _backend(self) -> Backend:
        if isinstance(self._maybe_backend, LiminalError):
            raise self._maybe_backend
        return self._maybe_backend

    async def route(self, question: Question) -> Routing:
        """What will answer."""
        return route_to_base(question.turn_id, question.options, self._backend.model, self._backend.kind)

    async def answer(
        self, question: Question, routing: Routing, answer: Answer, emit: Callable[[str], None]
    ) -> None:
        """Decode into ``answer``, handing every piece of text to ``emit``.

        Raises PromptTooLong and what the backend raises.
        """
        branch = await branch_of(self._pool, question.conversation_id, question.message_id)
        longest = routing.sampling.get("max_tokens") or LONGEST_ANSWER
        room = self._backend.context_length - min(longest, self._backend.context_length // 4)
        messages = fit(branch, _instructions(question.options, routing), self._count, room)
        request = Request(
            messages=_plain(messages),
            adapters={use.name: use.gate for use in routing.adapters},
            sampling=_sampling(routing),
            tenant=question.tenant,
            owner=question.owner,
        )
        try:
            async for delta in self._backend.generate(request):
                # Postgres text holds no U+0000, so no message may
                if text := delta.text.replace("\x00", ""):
                    answer.first_token_at = answer.first_token_at or time.monotonic()
                    answer.text += text
                    emit(text)
                answer.completion_tokens += len(delta.tokens)
                if delta.usage is not None:
                    answer.prompt_tokens = delta.usage.prompt_tokens
                    answer.completion_tokens = delta.usage.completion_tokens
                    answer.cached_tokens = delta.usage.cached_tokens
                if delta.finish is not None:
                    answer.finish_reason = delta.finish
        finally:
            answer.ended_at = time.monotonic()

    def _count(self, messages: Sequence[ContextMessage]) -> int:
        return self._backend.count_tokens(_plain(messages))


def _plain(messages: Sequence[ContextMessage]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _instructions(options: TurnOptions, routing: Routing) -> list[ContextMessage]:
    texts = [*([options.system] if options.system else []), *routing.instructions]
    return [ContextMessage("system", "\n".join(texts))] if texts else []


def _sampling(routing: Routing) -> Sampling:
    chosen = dict(routing.sampling)
    stop = chosen.pop("stop", None)
    return Sampling(**chosen, stop=tuple(stop or ()), seed=routing.seed)
