"""From a routed turn to its words: the branch, cut to the window, decoded by a backend."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from liminal.chat.context import ContextMessage, Count, branch_of, plain, room_for_prompt
from liminal.chat.frames import Token, TokenLogprob, TopLogprob
from liminal.chat.routing import Routing, route_to_base
from liminal.chat.summaries import Window, summary_of_branch, window
from liminal.engine.backend import Backend
from liminal.engine.request import Delta, Request, Sampling
from liminal.errors import LiminalError
from liminal.learning.adapters.serving import ServingAdapters
from liminal.log.events import TurnOptions
from liminal.steering.router import Asked, Router
from liminal.storage.postgres import Pool


@dataclass(slots=True)
class Answer:
    """An answer as it grows; what is there when a turn is stopped is kept."""

    text: str = ""
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    summary_version: int | None = None
    left_out: int = 0
    first_token_at: float | None = None
    ended_at: float = field(default_factory=time.monotonic)

    def timings(self, asked_at: float) -> dict[str, float | None]:
        """Milliseconds from ``asked_at`` (of ``time.monotonic``)."""
        first = None if self.first_token_at is None else round((self.first_token_at - asked_at) * 1000, 2)
        return {"first_token_ms": first, "total_ms": round((self.ended_at - asked_at) * 1000, 2)}


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be answered, for whom. ``content`` is None where only the history has it."""

    turn_id: UUID
    conversation_id: UUID
    message_id: UUID
    owner: str
    tenant: str
    options: TurnOptions
    asked_at: datetime
    content: str | None


class BackendMissing(LiminalError):
    """The routing policy chose a backend that this worker does not have."""

    code = "backend_missing"


@dataclass(frozen=True, slots=True)
class Decoder:
    """A backend, and how it gets the adapters that serve."""

    backend: Backend
    adapters: ServingAdapters


class Answerer:
    """Makes answers as the router says; the first of the decoders is the one it uses by default."""

    def __init__(self, decoders: Sequence[Decoder], router: Router, pool: Pool) -> None:
        self._decoders = {decoder.backend.kind: decoder for decoder in decoders}
        self._default = decoders[0].backend.kind
        self._router = router
        self._pool = pool

    async def route(self, question: Question) -> Routing:
        """What will answer, by the policy in force. Raises BackendMissing and what the router raises."""
        options = question.options
        asked = Asked(
            owner=question.owner,
            tenant=question.tenant,
            message_id=question.message_id,
            asked_at=question.asked_at,
            question=question.content,
            without_learning=options.without_learning,
            mixture=_extra(options).get("adapters") or None,
            base=self._decoders[self._default].adapters.base_hash(),
        )
        routed = await self._router.route(asked)
        decision = routed.decision
        backend = self._decoder(decision.backend or self._default).backend
        return replace(
            route_to_base(question.turn_id, options, backend.model, backend.kind),
            adapters=decision.adapters,
            policy_id=routed.policy_id,
            policy_version=routed.policy_version,
            rules=decision.rules,
            instructions=tuple(instruction.text for instruction in decision.instructions),
            context_ids=decision.context_ids,
            facts=routed.facts.recorded(),
            shadow=routed.shadow,
        )

    async def answer(
        self, question: Question, routing: Routing, answer: Answer, emit: Callable[[Token], None]
    ) -> None:
        """Decode into ``answer``, handing every piece of it to ``emit``.

        Raises PromptTooLong and what the backend raises.
        """
        decoder = self._decoder(routing.backend)
        request = await self._request(question, routing, answer, decoder)
        try:
            async for delta in decoder.backend.generate(request):
                # Postgres text holds no U+0000, so no message may
                if text := delta.text.replace("\x00", ""):
                    answer.first_token_at = answer.first_token_at or time.monotonic()
                    answer.text += text
                if text or delta.logprobs:
                    emit(Token(text=text, logprobs=_logprobs(delta)))
                answer.completion_tokens += len(delta.tokens)
                if delta.usage is not None:
                    answer.prompt_tokens = delta.usage.prompt_tokens
                    answer.completion_tokens = delta.usage.completion_tokens
                    answer.cached_tokens = delta.usage.cached_tokens
                if delta.finish is not None:
                    answer.finish_reason = delta.finish
        finally:
            answer.ended_at = time.monotonic()

    def _decoder(self, kind: str) -> Decoder:
        if kind not in self._decoders:
            raise BackendMissing(f"This worker has no backend {kind!r}.", backend=kind)
        return self._decoders[kind]

    async def _request(
        self, question: Question, routing: Routing, answer: Answer, decoder: Decoder
    ) -> Request:
        extra = _extra(question.options)
        branch = await branch_of(self._pool, question.conversation_id, question.message_id)
        mixture = await decoder.adapters.load(routing.adapters)
        sampling = _sampling(routing, extra.get("json_schema"))
        owned: Any = {"adapters": mixture, "tenant": question.tenant, "owner": question.owner}
        if extra.get("raw"):
            return Request(prompt=branch[-1].content, sampling=sampling, **owned)
        instructions = _instructions(question.options, routing)
        room = room_for_prompt(decoder.backend.context_length, sampling.max_tokens)
        seen = await self._window(question, routing, branch, instructions, room, _counter(decoder.backend))
        answer.left_out = seen.left_out
        if seen.summary is not None:
            answer.summary_version = seen.summary.version
            instructions = [*instructions, seen.summary.as_message()]
        return Request(messages=plain([*instructions, *seen.messages]), sampling=sampling, **owned)

    async def _window(
        self,
        question: Question,
        routing: Routing,
        branch: list[ContextMessage],
        instructions: list[ContextMessage],
        room: int,
        count: Count,
    ) -> Window:
        if count([*instructions, *branch]) <= room:
            return Window(branch)
        summary = None
        if routing.summary_version is not None:
            summary = await summary_of_branch(
                self._pool, question.owner, question.conversation_id, branch, routing.summary_version
            )
        return window(branch, instructions, summary, count, room)


class NoAnswerer:
    """Stands where there is no model: every turn fails with the reason, and may be asked for again."""

    def __init__(self, error: LiminalError) -> None:
        self._error = error

    async def route(self, question: Question) -> Routing:
        """Raises the error that kept the model away."""
        raise self._error

    async def answer(
        self, question: Question, routing: Routing, answer: Answer, emit: Callable[[Token], None]
    ) -> None:
        """Raises the error that kept the model away."""
        raise self._error


def _logprobs(delta: Delta) -> tuple[TokenLogprob, ...] | None:
    if not delta.logprobs:
        return None
    return tuple(
        TokenLogprob(
            text=token.text,
            logprob=token.logprob,
            top=tuple(TopLogprob(text=text, logprob=logprob) for _, text, logprob in token.top),
        )
        for token in delta.logprobs
    )


def _counter(backend: Backend) -> Count:
    return lambda messages: backend.count_tokens(plain(messages))


def _extra(options: TurnOptions) -> dict[str, Any]:
    return options.extra if isinstance(options.extra, dict) else {}


def _instructions(options: TurnOptions, routing: Routing) -> list[ContextMessage]:
    texts = [*([options.system] if options.system else []), *routing.instructions]
    return [ContextMessage("system", "\n".join(texts))] if texts else []


def _sampling(routing: Routing, json_schema: dict[str, Any] | None) -> Sampling:
    chosen = dict(routing.sampling)
    stop = chosen.pop("stop", None)
    return Sampling(**chosen, stop=tuple(stop or ()), seed=routing.seed, json_schema=json_schema)
