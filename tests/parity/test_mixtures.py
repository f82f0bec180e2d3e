"""PEFT's own folders: alone, in a mixture (`cat`), and a different one in each row (`adapter_names`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from liminal.engine.config import ModelConfig, read_config
from liminal.engine.model import forward
from liminal.engine.params import Lora, LoraPair, Params
from liminal.engine.peft import Adapter, load_adapter, save_adapter
from liminal.engine.weights import load_params

MODELS = ["llama", "qwen3"]
NAMES = ["r2", "r4_rslora", "r8_attention", "r4_pattern"]
MIXTURES: dict[str, dict[str, float]] = {
    "one": {"r2": 1.0},
    "two": {"r2": 0.5, "r8_attention": 1.25},
    "three": {"r2": 0.3, "r4_rslora": 0.45, "r8_attention": 0.25},
    "against": {"r8_attention": 1.5, "r4_rslora": -0.5, "r2": 0.8},
}
ROWS: list[dict[str, float]] = [{"r2": 1.0}, {}, {"r4_rslora": 1.0}, {"r8_attention": 1.0}]


class Bank:
    """Every adapter of one model as rank rows of one bank, whose gates a test chooses."""

    def __init__(self, golden: Path, name: str) -> None:
        folder = golden / "models" / name
        self.config: ModelConfig = read_config(folder)
        self.params: Params = load_params(folder, self.config)
        self.adapters = [load_adapter(golden / "adapters" / name / each, self.config) for each in NAMES]
        self.expected = np.load(golden / "mixtures" / f"{name}.npz")
        parts = [adapter.lora(self.config) for adapter in self.adapters]
        self.lora: Lora = tuple(
            {
                target: LoraPair(
                    jnp.concatenate([part[layer][target].a for part in parts]),
                    jnp.concatenate([part[layer][target].b for part in parts]),
                )
                for target in parts[0][layer]
            }
            for layer in range(self.config.layers)
        )

    def logits(self, rows: Sequence[Mapping[str, float]]) -> NDArray[np.float32]:
        """Logits [N, V] where the golden mask is 1, each row of the batch with its own mixture."""
        gates = np.asarray(
            [
                [
                    row.get(name, 0.0)
                    for name, each in zip(NAMES, self.adapters, strict=True)
                    for _ in range(each.rows)
                ]
                for row in rows
            ],
            np.float32,
        )
        mask = self.expected["mask"].astype(bool)
        found = forward(
            self.params,
            self.config,
            self.expected["tokens"],
            positions=self.expected["positions"],
            segments=jnp.asarray(mask, jnp.int32),
            lora=self.lora,
            gates=jnp.asarray(gates),
        )
        return np.asarray(found)[mask]


@pytest.fixture(scope="module", params=MODELS)
def bank(request: pytest.FixtureRequest, golden: Path) -> Bank:
    return Bank(golden, request.param)


def relative_error(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("name", NAMES)
def test_one_adapter_answers_as_in_peft(bank: Bank, name: str) -> None:
    assert relative_error(bank.logits([{name: 1.0}] * 4), bank.expected[f"alone_{name}"]) <= 1e-5


@pytest.mark.parametrize("name", MIXTURES)
def test_a_mixture_of_different_ranks_equals_pefts_cat(bank: Bank, name: str) -> None:
    assert relative_error(bank.logits([MIXTURES[name]] * 4), bank.expected[f"cat_{name}"]) <= 1e-5


def test_a_batch_of_different_adapters_equals_pefts_adapter_names(bank: Bank) -> None:
    assert relative_error(bank.logits(ROWS), bank.expected["rows"]) <= 1e-5


def test_the_adapters_do_change_the_answer(bank: Bank) -> None:
    assert relative_error(bank.logits([{}] * 4), bank.expected["cat_three"]) > 1e-2


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", NAMES)
def test_a_peft_folder_comes_back_bit_for_bit(golden: Path, tmp_path: Path, model: str, name: str) -> None:
    config = read_config(golden / "models" / model)
    original: Adapter = load_adapter(golden / "adapters" / model / name, config)
    save_adapter(tmp_path, original)
    again = load_adapter(tmp_path, config)
    assert again.content_hash == original.content_hash
    assert (tmp_path / "adapter_model.safetensors").read_bytes() == (
        golden / "adapters" / model / name / "adapter_model.safetensors"
    ).read_bytes()
