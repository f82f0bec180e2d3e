"""The openai package, unmodified, against our surface; and an adapter that PEFT made."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from gguf import GGUFReader
from tests.api.installation import Person, make_account, signup
from tests.chat.conftest import ROOT, Chat

from liminal.engine.peft import load_adapter
from liminal.engine.source import open_model
from liminal.engine.training import BaseModel, Completion
from liminal.identity.actor import Role
from liminal.identity.authorize import SYSTEM_TENANT
from liminal.learning.adapters import exports, library
from liminal.learning.adapters.imports import import_adapter
from liminal.learning.errors import NoSuchVersion
from liminal.log import Log
from liminal.storage.blobs import BlobStore

pytestmark = pytest.mark.usefixtures("worker")
ADAPTER = ROOT / "tests" / "parity" / "golden" / "adapters" / "llama" / "r2"
QUESTION: list[openai.types.chat.ChatCompletionMessageParam] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "hello"},
]


@pytest.fixture
async def client(chat: Chat) -> AsyncGenerator[openai.AsyncOpenAI]:
    person: Person = await signup(chat.installation)
    reply = await person.browser.post(
        "/v1/auth/api-keys", json={"name": "test", "scopes": ["chat", "models"]}
    )
    assert reply.status_code == 201, reply.text
    base_url = f"http://127.0.0.1:{chat.port}/v1"
    async with openai.AsyncOpenAI(api_key=reply.json()["key"], base_url=base_url, max_retries=0) as client:
        yield client


async def test_a_completion_is_a_turn_on_the_log(client: openai.AsyncOpenAI) -> None:
    models = await client.models.list()
    done = await client.chat.completions.create(
        model=models.data[0].id, messages=QUESTION, max_tokens=12, seed=1, temperature=1
    )
    assert done.choices[0].finish_reason in ("stop", "length")
    assert done.usage is not None
    assert done.usage.completion_tokens <= 12
    assert (done.model_extra or {})["liminal"]["turns"][0]["trace"]["seed"] == 1


async def test_embeddings_are_the_encoders_in_both_encodings(client: openai.AsyncOpenAI) -> None:
    texts = ["a small boat", "a little ship", "the price of tea"]
    encoder = next(m for m in (await client.models.list()).data if m.id.startswith("all-MiniLM"))
    # the package asks for base64 unless told otherwise
    packed = await client.embeddings.create(model=encoder.id, input=texts)
    plain = await client.embeddings.create(model=encoder.id, input=texts[0], encoding_format="float")
    vectors = np.asarray([item.embedding for item in packed.data])
    np.testing.assert_allclose(vectors[0], plain.data[0].embedding, atol=1e-6)
    assert vectors.shape == (3, 384)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3
    assert packed.usage.prompt_tokens == packed.usage.total_tokens == 16


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"model": "another"}, "no embedding model"),
        ({"dimensions": 64}, "dimensions"),
        ({"input": "word " * 400}, "truncate"),
        ({"input": [1, 2, 3]}, "input"),
        ({"input": []}, "input"),
    ],
)
async def test_an_embedding_that_cannot_be_given_is_refused_by_name(
    client: openai.AsyncOpenAI, wrong: dict[str, Any], named: str
) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match=named):
        await client.embeddings.create(**{"model": "all-MiniLM-L6-v2", "input": "x"} | wrong)
    cut = await client.embeddings.create(
        model="all-MiniLM-L6-v2", input="word " * 400, extra_body={"liminal": {"truncate": True}}
    )
    assert cut.usage.prompt_tokens == 256


async def test_what_reads_like_a_control_token_in_a_completion_is_text(client: openai.AsyncOpenAI) -> None:
    async def tokens(prompt: str) -> int:
        done = await client.completions.create(model="llama", prompt=prompt, max_tokens=1)
        assert done.usage is not None
        return done.usage.prompt_tokens

    assert await tokens("x<|im_end|>") > await tokens("x") + 4


async def test_a_stream_says_the_same_as_the_whole_answer(client: openai.AsyncOpenAI) -> None:
    asked = {"model": "llama", "messages": QUESTION, "max_tokens": 24, "seed": 7, "temperature": 1.0}
    whole = await client.chat.completions.create(**asked)  # pyright: ignore[reportCallIssue, reportArgumentType]
    parts: list[str] = []
    usage = None
    stream = await client.chat.completions.create(  # pyright: ignore[reportCallIssue]
        **asked,  # pyright: ignore[reportArgumentType]
        stream=True,
        stream_options={"include_usage": True},
    )
    async for chunk in stream:
        parts += [choice.delta.content or "" for choice in chunk.choices]
        usage = chunk.usage or usage
    assert "".join(parts) == whole.choices[0].message.content
    assert usage is not None
    assert usage.completion_tokens == whole.usage.completion_tokens


async def test_logprobs_are_told_of_every_token_whole_and_streamed(client: openai.AsyncOpenAI) -> None:
    asked: dict[str, Any] = {"model": "llama", "messages": QUESTION, "max_tokens": 16, "temperature": 0}
    whole = await client.chat.completions.create(**asked, logprobs=True, top_logprobs=3)
    told = whole.choices[0].logprobs
    assert told is not None
    assert told.content is not None
    assert whole.usage is not None
    assert len(told.content) == whole.usage.completion_tokens
    # parts of a code point have no text of their own
    written = [token.token for token in told.content if token.bytes is not None]
    assert written
    assert all(text in (whole.choices[0].message.content or "") for text in written)
    for token in told.content:
        assert token.token == token.top_logprobs[0].token, "greedy takes the likeliest"
        assert token.logprob == token.top_logprobs[0].logprob < 0
        assert len(token.top_logprobs) == 3
    streamed: list[float] = []
    async for chunk in await client.chat.completions.create(**asked, logprobs=True, stream=True):
        for choice in chunk.choices:
            if choice.logprobs is not None:
                streamed += [token.logprob for token in choice.logprobs.content or ()]
    # the prompt comes from the prefix cache now, which changes the last bits
    assert streamed == pytest.approx([token.logprob for token in told.content], abs=1e-5)

    text = await client.completions.create(model="llama", prompt="hello", max_tokens=8, logprobs=2)
    weights = text.choices[0].logprobs
    assert weights is not None
    assert weights.tokens is not None
    assert weights.text_offset == [len("".join(weights.tokens[:at])) for at in range(len(weights.tokens))]
    # by text, as the form has it: parts of code points look alike
    assert len(weights.top_logprobs or ()) == len(weights.tokens)
    assert all(1 <= len(top) <= 2 for top in weights.top_logprobs or ())


async def test_several_answers_differ_by_their_seeds(client: openai.AsyncOpenAI) -> None:
    done = await client.chat.completions.create(
        model="llama", messages=QUESTION, max_tokens=12, n=3, seed=5, temperature=1
    )
    assert len({choice.message.content for choice in done.choices}) == 3


async def test_what_is_not_supported_is_refused_by_name(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="logit_bias"):
        await client.chat.completions.create(model="llama", messages=QUESTION, logit_bias={"1": 5})
    with pytest.raises(openai.UnprocessableEntityError, match="top_logprobs"):
        await client.chat.completions.create(model="llama", messages=QUESTION, top_logprobs=2)
    with pytest.raises(openai.UnprocessableEntityError, match="no model"):
        await client.chat.completions.create(model="another", messages=QUESTION)


async def test_a_peft_adapter_made_elsewhere_changes_the_answer_once_it_passed_its_gate(
    chat: Chat, client: openai.AsyncOpenAI, model: Path, tmp_path: Path
) -> None:
    asked = {"model": "llama", "messages": QUESTION, "max_tokens": 40, "seed": 3, "temperature": 1.0}
    log, settings = chat.installation.services.log, chat.installation.settings
    with pytest.raises(openai.APIStatusError, match="No adapter"):
        await client.chat.completions.create(**asked | {"model": "llama+elsewhere"})  # pyright: ignore
    made = await import_adapter(
        log,
        BlobStore.open(settings),
        BaseModel.load(model),
        ADAPTER,
        [Completion(QUESTION, [{"role": "assistant", "content": "Yes."}])],
        name="elsewhere",
        tenant=SYSTEM_TENANT,
        actor="test",
        budget=100.0,  # weights of random numbers forget much
    )
    assert made.passed
    await exported(log, BlobStore.open(settings), model, tmp_path)
    plain = await client.chat.completions.create(**asked)  # pyright: ignore
    changed = await client.chat.completions.create(**asked | {"model": "llama+elsewhere"})  # pyright: ignore
    assert changed.choices[0].message.content != plain.choices[0].message.content
    listed = {model.id: model for model in (await client.models.list()).data}
    adapter = listed["llama+elsewhere"].model_extra or {}
    assert (adapter["parent"], adapter["liminal"]["kind"]) == ("llama", "adapter")
    stranger = await make_account(chat.installation, Role.USER, str(uuid.uuid4()))
    theirs = (await stranger.browser.get("/v1/models")).json()["data"]
    assert [model["id"] for model in theirs] == ["llama", "all-MiniLM-L6-v2"]
    silent = await client.chat.completions.create(  # pyright: ignore
        **asked,
        extra_body={"liminal": {"adapters": {"elsewhere": 0.0}}},
    )
    assert silent.choices[0].message.content == plain.choices[0].message.content


async def exported(log: Log, blobs: BlobStore, model: Path, folder: Path) -> None:
    """The adapter leaves as it came: PEFT's files hold the same, and llama.cpp's have every tensor."""
    config = open_model(model).config
    adapter = await library.find(log.pool, "elsewhere")
    version = exports.exported_version(adapter)
    await exports.export_peft(log.pool, blobs, adapter, version, folder / "peft")
    came, left = load_adapter(ADAPTER, config), load_adapter(folder / "peft", config)
    assert left.content_hash == came.content_hash
    await exports.export_gguf(log.pool, blobs, adapter, version, folder / "a.gguf", config)
    assert len(GGUFReader(folder / "a.gguf").tensors) == 2 * len(came.tensors)
    with pytest.raises(NoSuchVersion):
        exports.exported_version(adapter, version + 1)
