"""An OpenAI-compatible endpoint as a backend: here one that a real engine stands behind."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.engine.conftest import text_in
from tests.engine.servers import Endpoint, served

from liminal.engine.backend import Backend
from liminal.engine.engine import Engine
from liminal.engine.errors import (
    BackendRefused,
    BackendUnavailable,
    CapabilityMissing,
    EngineError,
    RequestTimeout,
)
from liminal.engine.openai_backend import Endpoint as Address
from liminal.engine.openai_backend import OpenAIBackend
from liminal.engine.request import Request, Sampling

HELLO = [{"role": "user", "content": "hello there"}]
RULES = Sampling(temperature=1.0, seed=4, max_tokens=12)


@pytest.fixture(scope="module")
def endpoint(engine: Engine) -> Iterator[tuple[Endpoint, str]]:
    """A served engine and its address."""
    behind = Endpoint(engine)
    with served(behind) as address:
        yield behind, address


@pytest.fixture
async def backend(endpoint: tuple[Endpoint, str]) -> AsyncIterator[OpenAIBackend]:
    """A backend that knows its endpoint is a liminal."""
    endpoint[0].troubles.clear()
    endpoint[0].bodies.clear()
    opened = OpenAIBackend(Address(endpoint[1], "tiny", provider="liminal", timeout=30))
    yield opened
    await opened.aclose()


def provider(backend: OpenAIBackend, name: str, **changes: object) -> OpenAIBackend:
    """The same endpoint, taken for another provider's."""
    return OpenAIBackend(dataclasses.replace(backend.endpoint, provider=name, **changes))


async def collect(backend: Backend, request: Request) -> list[object]:
    """Every delta."""
    return [delta async for delta in backend.generate(request)]


async def test_a_remote_answer_is_the_local_one(engine: Engine, backend: OpenAIBackend) -> None:
    for adapters in ({}, {"low": 0.5, "high": 1.5}):
        request = Request(messages=HELLO, adapters=adapters, sampling=RULES)
        local, remote = await collect(engine, request), await collect(backend, request)
        assert text_in(remote) == text_in(local)
        assert (remote[-1].finish, remote[-1].usage.completion_tokens) == (local[-1].finish, 12)


async def test_passing_trouble_is_tried_again(endpoint: tuple[Endpoint, str], backend: OpenAIBackend) -> None:
    endpoint[0].troubles += [500, 429]
    assert text_in(await collect(backend, Request(messages=HELLO, sampling=RULES)))
    assert len(endpoint[0].bodies) == 3


@pytest.mark.parametrize(
    ("status", "error"), [(401, BackendRefused), (400, BackendRefused), (503, BackendUnavailable)]
)
async def test_errors_are_the_engines_own(
    endpoint: tuple[Endpoint, str], backend: OpenAIBackend, status: int, error: type[EngineError]
) -> None:
    endpoint[0].troubles += [status] * 4
    with pytest.raises(error, match=str(status)):
        await collect(backend, Request(messages=HELLO, sampling=RULES))


async def test_an_unreachable_endpoint_is_said_to_be(backend: OpenAIBackend) -> None:
    with pytest.raises(BackendUnavailable):
        await collect(
            provider(backend, "other", base_url="http://127.0.0.1:9/v1", retries=0), Request(messages=HELLO)
        )


async def test_a_broken_stream_is_an_error_not_a_short_answer(
    endpoint: tuple[Endpoint, str], backend: OpenAIBackend
) -> None:
    endpoint[0].hang_up = True
    with pytest.raises(BackendUnavailable, match="closed"):
        await collect(backend, Request(messages=HELLO, sampling=RULES))
    endpoint[0].hang_up = False


async def test_time_is_kept_remotely_too(backend: OpenAIBackend) -> None:
    long = Sampling(temperature=0.0, max_tokens=600)
    with pytest.raises(RequestTimeout):
        await collect(backend, Request(messages=HELLO * 20, sampling=long, timeout=0.01))


async def test_adapters_travel_in_each_providers_way(
    endpoint: tuple[Endpoint, str], backend: OpenAIBackend
) -> None:
    request = Request(messages=HELLO, adapters={"3": 1.0}, sampling=RULES)
    ways = {
        "vllm": {},
        "sglang": {},
        "fireworks": {},
        "lorax": {},
        "llama.cpp": {},
        "openai": {"prompts": {"3": "Be brief."}},
    }
    for name, changes in ways.items():
        await collect(provider(backend, name, **changes), request)
    # the request of the test before, whose client gave up, may arrive only now
    bodies = [body for body in endpoint[0].bodies if len(body["messages"]) < 20]
    vllm, sglang, fireworks, lorax, llama, prompt = bodies
    assert [body["model"] for body in (vllm, sglang, fireworks, lorax)] == ["3", "tiny:3", "3#tiny", "3"]
    assert llama["lora"] == [{"id": 3, "scale": 1.0}]
    assert prompt["messages"][0] == {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("vllm", Request(messages=HELLO, adapters={"a": 0.5})),
        ("lorax", Request(messages=HELLO, adapters={"a": 1.0, "b": 1.0})),
        ("openai", Request(messages=HELLO, adapters={"unknown": 1.0})),
        ("openai", Request(messages=HELLO, sampling=Sampling(top_k=5))),
        ("other", Request(messages=HELLO, sampling=Sampling(json_schema={}))),
        ("liminal", Request(messages=HELLO, resume=[1, 2])),
    ],
)
async def test_what_a_provider_cannot_do_raises(backend: OpenAIBackend, name: str, request_: Request) -> None:
    with pytest.raises(CapabilityMissing):
        await collect(provider(backend, name), request_)


def test_an_unknown_provider_raises() -> None:
    with pytest.raises(CapabilityMissing, match="known are"):
        OpenAIBackend(Address("http://x", "m", provider="mystery"))


def test_tokens_are_never_counted_too_few(engine: Engine, backend: OpenAIBackend) -> None:
    messages = [{"role": "user", "content": "é🙂 words"}]
    assert backend.count_tokens(messages) >= engine.count_tokens(messages)
    exact = OpenAIBackend(backend.endpoint, engine.tokenizer)
    assert exact.count_tokens(messages) == engine.count_tokens(messages)
