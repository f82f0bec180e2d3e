"""What the whole engine decodes greedily (prefill in chunks, cache, batch) against transformers' generate."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from liminal.engine.config import read_config
from liminal.engine.engine import Engine
from liminal.engine.options import EngineOptions
from liminal.engine.request import Request, Sampling
from liminal.engine.tokenizer import Tokenizer
from liminal.engine.weights import load_params

OPTIONS = EngineOptions(slots=2, context=64, chunks=(16,), rows=0, warm=False)


async def continuation(engine: Engine, prompt: list[int], length: int) -> list[int]:
    request = Request(prompt=prompt, sampling=Sampling(temperature=0.0, max_tokens=length, ignore_eos=True))
    async with aclosing(engine.generate(request)) as deltas:
        return [token async for delta in deltas for token in delta.tokens]


@pytest.mark.parametrize("name", ["qwen3_yarn", "smollm3_window"])
async def test_greedy_answers_are_those_of_transformers(golden: Path, name: str) -> None:
    folder = golden / "models" / name
    config = read_config(folder)
    params = load_params(folder, config, jnp.float32)
    expected = np.load(golden / "logits" / f"{name}.npz")
    prompts = [
        tokens[mask == 1].tolist() for tokens, mask in zip(expected["tokens"], expected["mask"], strict=True)
    ]
    # only the tiny Llama has a tokenizer; token ids need none
    with Engine(config, params, Tokenizer.load(golden / "models" / "llama"), OPTIONS) as engine:
        found = await asyncio.gather(*(continuation(engine, prompt, 8) for prompt in prompts))
    assert found == expected["greedy"].tolist()
