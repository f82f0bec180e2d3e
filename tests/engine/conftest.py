"""One tiny model folder and one engine for the whole room."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from tests.engine.models import lively_adapter, lively_params, tiny_config, write_model

from liminal.engine.bank import AdapterRegistry
from liminal.engine.cache import BLOCK
from liminal.engine.compile_cache import keep_compiled
from liminal.engine.config import ModelConfig
from liminal.engine.engine import Engine
from liminal.engine.model import forward
from liminal.engine.options import EngineOptions
from liminal.engine.params import LoraPair, Params
from liminal.engine.request import Delta, Request, Sampling

OPTIONS = EngineOptions(slots=2, context=3 * BLOCK - 64, chunks=(32,), rows=40, queue=16, warm=False)


@pytest.fixture(scope="session", autouse=True)
def compiled_programs() -> Path:
    """Compiled programs outlive the run: many engines here have the same small shapes."""
    return keep_compiled(Path(__file__).parents[2] / ".cache" / "compiled")


@pytest.fixture(scope="session")
def config() -> ModelConfig:
    """The tiny model's shape."""
    return tiny_config()


@pytest.fixture(scope="session")
def params(config: ModelConfig) -> Params:
    """The tiny model's parameters."""
    return lively_params(config)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as a Hugging Face folder."""
    return write_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def engine(folder: Path) -> Iterator[Engine]:
    """An engine over the tiny model, with adapters ``low`` (rank 4) and ``high`` (rank 12)."""
    with Engine.load(folder, OPTIONS) as loaded:
        loaded.adapters.register("low", lively_adapter(loaded.config, 4, 1))
        loaded.adapters.register("high", lively_adapter(loaded.config, 12, 2))
        yield loaded


Reference = Callable[..., list[int]]


@pytest.fixture(scope="session")
def reference(config: ModelConfig, params: Params, engine: Engine) -> Reference:
    """Greedy decoding by whole forward passes: the yardstick of everything that caches or batches."""
    return lambda prompt, count, adapters=None: greedy_by_forward(
        config, params, engine.adapters, prompt, count, adapters or {}
    )


def greedy_by_forward(
    config: ModelConfig,
    params: Params,
    registry: AdapterRegistry,
    prompt: Sequence[int],
    count: int,
    adapters: dict[str, float],
) -> list[int]:
    """``count`` tokens after ``prompt``, each from a forward pass over everything before it."""
    tokens = list(prompt)
    lora = gates = None
    if adapters:
        parts = [registry.adapter(registry.resolve(name)) for name in adapters]
        layers = [part.lora(config) for part in parts]
        lora = tuple(
            {
                name: LoraPair(
                    *(jnp.concatenate([getattr(item[i][name], side) for item in layers]) for side in "ab")
                )
                for name in layers[0][i]
            }
            for i in range(config.layers)
        )
        gates = np.concatenate(
            [np.full(part.rows, gate) for part, gate in zip(parts, adapters.values(), strict=True)]
        )
        gates = jnp.asarray(gates, jnp.float32)[None]
    for _ in range(count):
        padded = np.zeros((1, -(-len(tokens) // 64) * 64), np.int32)
        padded[0, : len(tokens)] = tokens
        logits = _forward(config)(params, padded, lora, gates)
        tokens.append(int(logits[0, len(tokens) - 1].argmax()))
    return tokens[len(prompt) :]


_jitted: dict[ModelConfig, Any] = {}


def _forward(config: ModelConfig) -> Any:
    import jax

    if config not in _jitted:
        _jitted[config] = jax.jit(lambda p, t, lora, gates: forward(p, config, t, lora=lora, gates=gates))
    return _jitted[config]


def tokens_of(seed: int, count: int) -> list[int]:
    """A random prompt of byte tokens."""
    return [int(token) for token in np.random.default_rng(seed).integers(0, 256, count)]


Run = Callable[..., Coroutine[Any, Any, list[Delta]]]


@pytest.fixture(scope="session")
def run(engine: Engine) -> Run:
    """Collect the deltas of a request, greedy unless said otherwise."""

    async def collect(prompt: Any, count: int = 12, **others: Any) -> list[Delta]:
        rules = {"max_tokens": count, "ignore_eos": True} | others.pop("sampling", {})
        request = Request(prompt=prompt, sampling=Sampling(**rules), **others)
        return [delta async for delta in engine.generate(request)]

    return collect


def tokens_in(deltas: Sequence[Delta], index: int = 0) -> list[int]:
    """The tokens of one answer."""
    return [token for delta in deltas if delta.index == index for token in delta.tokens]


def text_in(deltas: Sequence[Delta], index: int = 0) -> str:
    """The text of one answer."""
    return "".join(delta.text for delta in deltas if delta.index == index)
