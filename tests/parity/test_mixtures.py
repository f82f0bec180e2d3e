"""PEFT's own folders: alone, in a mixture (`cat`), and a different one in each row (`adapter_names`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from liminal.engine.bank import adapter_pages, empty_bank
from liminal.engine.cache import decode_step, gather_rows, init_cache, prefill_chunk
from liminal.engine.config import ModelConfig, read_config
from liminal.engine.mixing import choose
from liminal.engine.model import forward
from liminal.engine.params import PAGE, Lora, LoraPair, Params
from liminal.engine.peft import Adapter, load_adapter, save_adapter
from liminal.engine.programs import write_page
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

BANK_ROWS = 40


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

        self.pages, self.places = self._in_pages()

    def _in_pages(self) -> tuple[Lora, list[NDArray[np.int32]]]:
        """The rank rows as a bank holds them for decoding, and which of them each adapter has."""
        bank, places, first = empty_bank(self.config, BANK_ROWS), list[NDArray[np.int32]](), 0
        for adapter in self.adapters:
            start = first
            for page in adapter_pages(adapter, self.config):
                bank, first = write_page(bank, jnp.int32(first), page), first + PAGE  # pyright: ignore[reportArgumentType]
            places.append(np.arange(start, first, dtype=np.int32))
        return bank, places

    def decoded(self, rows: Sequence[Mapping[str, float]], mode: str) -> NDArray[np.float32]:
        """Logits [N, V] after each sequence, its last token decoded in one step with the others."""
        gates = np.zeros((len(rows), BANK_ROWS), np.float32)
        for line, row in zip(gates, rows, strict=True):
            for name, gate in row.items():
                line[self.places[NAMES.index(name)]] = gate
        used, lora = choose(gates, [mode])
        assert used == mode
        mask = self.expected["mask"].astype(bool)
        cache = init_cache(self.config, len(rows), mask.shape[1])
        for slot, line in enumerate(gates):
            tokens = self.expected["tokens"][slot][mask[slot]].astype(np.int32)
            chunk = np.zeros(mask.shape[1], np.int32)  # of one shape for all, so that one program does
            chunk[: len(tokens)] = tokens
            _, cache = prefill_chunk(
                self.params, self.config, cache, jnp.asarray(chunk), jnp.int32(slot), jnp.int32(0),
                jnp.int32(len(tokens) - 1), self.pages, jnp.asarray(line[None]),
            )  # fmt: skip
        last = np.asarray(
            [tokens[own][-1] for tokens, own in zip(self.expected["tokens"], mask, strict=True)]
        )
        positions = mask.sum(axis=1) - 1
        mixture, *few = lora
        bank = gather_rows(self.pages, few[0]) if few else self.pages
        found, _ = decode_step(
            self.params, self.config, cache, jnp.asarray(last, jnp.int32), jnp.asarray(positions, jnp.int32),
            jnp.int32(1), bank, mixture,
        )  # fmt: skip
        return np.asarray(found)

    def ends(self, name: str) -> NDArray[np.float32]:
        """The golden logits [N, V] after each sequence."""
        return self.expected[name][np.cumsum(self.expected["mask"].sum(axis=1)).astype(int) - 1]

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


@pytest.mark.parametrize("mode", ["few32", "each", "all"])
def test_decoding_different_adapters_from_the_bank_equals_pefts_adapter_names(bank: Bank, mode: str) -> None:
    assert relative_error(bank.decoded(ROWS, mode), bank.ends("rows")) <= 1e-5


@pytest.mark.parametrize("name", MIXTURES)
@pytest.mark.parametrize("mode", ["few32", "all"])
def test_decoding_a_mixture_from_the_bank_equals_pefts_cat(bank: Bank, name: str, mode: str) -> None:
    assert relative_error(bank.decoded([MIXTURES[name]] * 4, mode), bank.ends(f"cat_{name}")) <= 1e-5


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
