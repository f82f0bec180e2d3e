"""From a routed turn to its words: the branch, cut to the window, decoded by a backend."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from liminal.chat.context import ContextMessage, branch_of, fit
from liminal.chat.routing import Routing, route_to_base
from liminal.engine.backend import Backend
from liminal.engine.request import Request, Sampling
from liminal.errors import LiminalError
from liminal.learning.serving import ServingAdapters
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
    """Makes answers with one backend and the adapters that serve."""

    def __init__(self, backend: Backend, adapters: ServingAdapters, pool: Pool) -> None:
        self._backend = backend
        self._adapters = adapters
        self._pool = pool

    async def route(self, question: Question) -> Routing:
        """What will answer: a mixture that was asked for by name, else the person's own adapters.

        Raises NoSuchAdapter.
        """
        base = route_to_base(question.turn_id, question.options, self._backend.model, self._backend.kind)
        asked = _extra(question.options).get("adapters")
        if asked:
            uses = await self._adapters.named(question.owner, question.tenant, asked)
        elif question.options.without_learning:
            uses = []
        else:
            uses = await self._adapters.personas(question.owner, question.tenant)
        return replace(base, adapters=tuple(uses))

    async def answer(
        self, question: Question, routing: Routing, answer: Answer, emit: Callable[[str], None]
    ) -> None:
        """Decode into ``answer``, handing every piece of text to ``emit``.

        Raises PromptTooLong and what the backend raises.
        """
        request = await self._request(question, routing)
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

    async def _request(self, question: Question, routing: Routing) -> Request:
        extra = _extra(question.options)
        branch = await branch_of(self._pool, question.conversation_id, question.message_id)
        mixture = await self._adapters.load(routing.adapters)
        sampling = _sampling(routing, extra.get("json_schema"))
        owned: Any = {"adapters": mixture, "tenant": question.tenant, "owner": question.owner}
        if extra.get("raw"):
            return Request(prompt=branch[-1].content, sampling=sampling, **owned)
        longest = sampling.max_tokens or LONGEST_ANSWER
        room = self._backend.context_length - min(longest, self._backend.context_length // 4)
        messages = fit(branch, _instructions(question.options, routing), self._count, room)
        return Request(messages=_plain(messages), sampling=sampling, **owned)

    def _count(self, messages: Sequence[ContextMessage]) -> int:
        return self._backend.count_tokens(_plain(messages))


class NoAnswerer:
    """Stands where there is no model: every turn fails with the reason, and may be asked for again."""

    def __init__(self, error: LiminalError) -> None:
        self._error = error

    async def route(self, question: Question) -> Routing:
        """Raises the error that kept the model away."""
        raise self._error

    async def answer(
        self, question: Question, routing: Routing, answer: Answer, emit: Callable[[str], None]
    ) -> None:
        """Raises the error that kept the model away."""
        raise self._error


def _extra(options: TurnOptions) -> dict[str, Any]:
    return options.extra if isinstance(options.extra, dict) else {}


def _plain(messages: Sequence[ContextMessage]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _instructions(options: TurnOptions, routing: Routing) -> list[ContextMessage]:
    texts = [*([options.system] if options.system else []), *routing.instructions]
    return [ContextMessage("system", "\n".join(texts))] if texts else []


def _sampling(routing: Routing, json_schema: dict[str, Any] | None) -> Sampling:
    chosen = dict(routing.sampling)
    stop = chosen.pop("stop", None)
    return Sampling(**chosen, stop=tuple(stop or ()), seed=routing.seed, json_schema=json_schema)
