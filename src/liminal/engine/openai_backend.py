"""Any OpenAI-compatible endpoint as a backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import openai

from liminal.engine.errors import (
    BackendRefused,
    BackendUnavailable,
    CapabilityMissing,
    EngineError,
    RequestTimeout,
)
from liminal.engine.providers import PROVIDERS, Provider
from liminal.engine.request import Delta, Message, Request, Sampling, TokenLogprob, Usage
from liminal.engine.tokenizer import Tokenizer

OWN_FIELDS = frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty", "seed"})
"""Rules that the openai package has parameters for; the others travel in the extra body."""


@dataclass(frozen=True)
class Endpoint:
    """Where an endpoint is and what it understands.

    Attributes:
      provider: a row of PROVIDERS.
      prompts: adapter → its distilled instructions, for providers that take adapters as prompts.
      retries: attempts after the first, with exponential backoff; Retry-After is honoured.
      timeout: seconds without a byte before an attempt counts as failed.
    """

    base_url: str
    model: str
    api_key: str = "none"
    provider: str = "other"
    context_length: int = 8192
    prompts: Mapping[str, str] = field(default_factory=dict[str, str])
    retries: int = 3
    timeout: float = 60.0


class OpenAIBackend:
    """Generates through an endpoint; a Backend."""

    def __init__(self, endpoint: Endpoint, tokenizer: Tokenizer | None = None) -> None:
        """``tokenizer`` is the model's, to count tokens exactly. Raises CapabilityMissing for an unknown
        provider.
        """
        if endpoint.provider not in PROVIDERS:
            known = ", ".join(PROVIDERS)
            raise CapabilityMissing(f"provider {endpoint.provider!r} is not in the table; known are {known}")
        self.endpoint = endpoint
        self.provider: Provider = PROVIDERS[endpoint.provider]
        self._tokenizer = tokenizer
        self._client = openai.AsyncOpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.api_key,
            max_retries=endpoint.retries,
            timeout=endpoint.timeout,
        )

    @property
    def kind(self) -> Literal["jax", "openai"]:
        """``openai``."""
        return "openai"

    @property
    def model(self) -> str:
        """The endpoint's model id."""
        return self.endpoint.model

    @property
    def context_length(self) -> int:
        """As configured; the protocol has no way to ask."""
        return self.endpoint.context_length

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Exact with the model's tokenizer, else the number of bytes, which no tokenizer exceeds."""
        if self._tokenizer is not None and self._tokenizer.has_chat_template:
            return len(self._tokenizer.encode_chat(messages)[0])
        return sum(len(str(message.get("content") or "").encode()) + 8 for message in messages)

    async def generate(self, request: Request) -> AsyncIterator[Delta]:
        """Stream the answers.

        Raises CapabilityMissing, BackendRefused, BackendUnavailable or RequestTimeout.
        """
        arguments = self._arguments(request)
        try:
            async with asyncio.timeout(request.timeout):
                stream = await self._open(request, arguments)
                async with stream:
                    ends: dict[int, Delta] = {}
                    usage: Usage | None = None
                    async for chunk in stream:
                        usage = _usage(chunk) or usage
                        for choice in chunk.choices:
                            delta = _delta(choice)
                            if delta.finish is None:
                                yield delta
                            else:
                                ends[delta.index] = delta
        except TimeoutError as error:
            raise RequestTimeout("the request did not finish in its time") from error
        except openai.OpenAIError as error:
            raise mapped(error) from error
        if len(ends) < request.n:
            raise BackendUnavailable("the endpoint closed the stream before the answer was finished")
        for delta in ends.values():
            yield Delta(
                delta.index,
                delta.text,
                logprobs=delta.logprobs,
                finish=delta.finish,
                usage=usage,
                seed=request.sampling.seed,
            )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _open(self, request: Request, arguments: dict[str, Any]) -> Any:
        if request.messages is None:
            prompt = request.prompt if isinstance(request.prompt, str) else list(request.prompt or ())
            return await self._client.completions.create(prompt=prompt, **arguments)
        return await self._client.chat.completions.create(**arguments)

    def _arguments(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling
        chat = request.messages is not None
        if request.resume:
            raise CapabilityMissing("an endpoint cannot go on with an answer that another worker began")
        extra = self._rules(sampling)
        arguments: dict[str, Any] = {
            "model": self.model,
            "stream": True,
            "n": request.n,
            "stream_options": {"include_usage": True},
        }
        for name in OWN_FIELDS & extra.keys():
            arguments[name] = extra.pop(name)
        if sampling.max_tokens is not None:
            arguments["max_tokens"] = sampling.max_tokens
        if sampling.stop:
            arguments["stop"] = list(sampling.stop)
        if sampling.logprobs is not None:
            arguments |= (
                {"logprobs": True, "top_logprobs": sampling.logprobs}
                if chat
                else {"logprobs": sampling.logprobs}
            )
        if sampling.json_schema is not None:
            schema = {"name": "answer", "schema": dict(sampling.json_schema), "strict": True}
            arguments["response_format"] = {"type": "json_schema", "json_schema": schema}
        messages = [dict(message) for message in request.messages or ()]
        used = {name: gate for name, gate in request.adapters.items() if gate != 0.0}
        if used:
            messages = self._adapt(used, arguments, extra, messages, chat)
        if chat:
            arguments["messages"] = messages
            if request.tools:
                arguments["tools"] = list(request.tools)
        return arguments | {"extra_body": extra}

    def _rules(self, sampling: Sampling) -> dict[str, Any]:
        """The sampling fields that were given. Raises CapabilityMissing for those the provider ignores."""
        plain = {"max_tokens", "stop", "logprobs", "json_schema"}
        given = {
            item.name: getattr(sampling, item.name)
            for item in fields(sampling)
            if getattr(sampling, item.name) != item.default
        }
        missing = sorted(given.keys() - self.provider.rules - {"max_tokens", "stop"})
        if missing:
            raise CapabilityMissing(
                f"the provider {self.endpoint.provider!r} does not know {', '.join(missing)}", missing=missing
            )
        names = self.provider.names or {}
        return {names.get(name, name): value for name, value in given.items() if name not in plain}

    def _adapt(
        self,
        adapters: Mapping[str, float],
        arguments: dict[str, Any],
        extra: dict[str, Any],
        messages: list[dict[str, Any]],
        chat: bool,
    ) -> list[dict[str, Any]]:
        """Ask for the adapters in the provider's way; returns the messages to send."""
        provider = self.provider
        single = len(adapters) == 1 and set(adapters.values()) == {1.0}
        if provider.adapters != "prompt" and not provider.mixtures and not single:
            raise CapabilityMissing(
                f"the provider {self.endpoint.provider!r} takes one adapter at gate 1, not {dict(adapters)}"
            )
        if provider.adapters == "model":
            assert provider.model_id is not None
            arguments["model"] = provider.model_id(self.model, next(iter(adapters)))
            return messages
        if provider.adapters == "parameter":
            assert provider.fields is not None
            extra |= provider.fields(adapters)
            return messages
        unknown = sorted(adapters.keys() - self.endpoint.prompts.keys())
        if unknown or not chat:
            raise CapabilityMissing(
                "this provider takes adapters as distilled prompts, and there is none for "
                + (", ".join(unknown) if chat else "a bare completion")
            )
        # a prompt cannot be weighted: gates only decide the order
        ordered = sorted(adapters, key=lambda name: -adapters[name])
        text = "\n\n".join(self.endpoint.prompts[name] for name in ordered)
        if messages and messages[0].get("role") == "system":
            return [{**messages[0], "content": f"{text}\n\n{messages[0]['content']}"}, *messages[1:]]
        return [{"role": "system", "content": text}, *messages]


def mapped(error: openai.OpenAIError) -> EngineError:
    """The engine's error for one of the openai package's."""
    if isinstance(error, openai.APIStatusError):
        status = error.status_code
        kind = BackendUnavailable if status >= 500 or status in (408, 409, 429) else BackendRefused
        return kind(f"the endpoint answered {status}: {error.message}", status=status)
    return BackendUnavailable(f"the endpoint cannot be reached: {error}")


def _usage(chunk: Any) -> Usage | None:
    if chunk.usage is None:
        return None
    details = getattr(chunk.usage, "prompt_tokens_details", None)
    cached = getattr(details, "cached_tokens", None) or 0
    return Usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens, cached)


def _delta(choice: Any) -> Delta:
    delta = getattr(choice, "delta", None)
    text = (delta.content if delta is not None else choice.text) or ""
    reason = choice.finish_reason
    finish = None if reason is None else "length" if reason == "length" else "stop"
    logprobs = () if choice.logprobs is None else tuple(_logprobs(choice.logprobs))
    return Delta(index=choice.index, text=text, logprobs=logprobs, finish=finish)


def _logprobs(found: Any) -> Iterator[TokenLogprob]:
    """From either form of the API; endpoints name tokens by their text, so the id is -1."""
    for entry in getattr(found, "content", None) or ():
        top = tuple((-1, other.token, other.logprob) for other in entry.top_logprobs)
        yield TokenLogprob(-1, entry.token, entry.logprob, top)
    texts, values = getattr(found, "tokens", None) or (), getattr(found, "token_logprobs", None) or ()
    tops: Sequence[Mapping[str, float]] = getattr(found, "top_logprobs", None) or [{}] * len(texts)
    for text, value, others in zip(texts, values, tops, strict=True):
        yield TokenLogprob(-1, text, value, tuple((-1, other, chance) for other, chance in others.items()))
