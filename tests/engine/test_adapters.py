"""Adapters: PEFT's format, identity by content, and rank rows that come and go."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.engine.models import lively_adapter

from liminal.engine.bank import PAGE, AdapterBank, AdapterRegistry, Pages
from liminal.engine.config import ModelConfig
from liminal.engine.errors import (
    AdapterInvalid,
    AdapterNotFound,
    AdapterUnsupported,
    BankFull,
    EngineError,
)
from liminal.engine.peft import Adapter, load_adapter, save_adapter


def test_a_peft_folder_is_loaded_and_exported_bit_for_bit(tmp_path: Path, config: ModelConfig) -> None:
    source = lively_adapter(config, 4, 1, ("q_proj", "down_proj"))
    halves = {key: tuple(part.astype(np.float16) for part in pair) for key, pair in source.tensors.items()}
    source = dataclasses.replace(
        source, tensors=halves, extra={"target_modules": ["q_proj", "down_proj"], "note": 1}
    )
    save_adapter(tmp_path / "one", source, base_model="tiny")
    first = load_adapter(tmp_path / "one", config)
    save_adapter(tmp_path / "two", first)
    before, after = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("one", "two"))
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert tensor.dtype == np.float16
        np.testing.assert_array_equal(tensor, after[name])
    configs = [json.loads((tmp_path / name / "adapter_config.json").read_text()) for name in ("one", "two")]
    assert configs[0] == configs[1] and configs[0]["note"] == 1
    assert first.content_hash == load_adapter(tmp_path / "two", config).content_hash


def test_the_content_hash_knows_every_bit_and_every_scaling(config: ModelConfig) -> None:
    adapter = lively_adapter(config, 4, 1)
    key = next(iter(adapter.tensors))
    changed = {name: (a.copy(), b.copy()) for name, (a, b) in adapter.tensors.items()}
    changed[key][0][0, 0] = np.nextafter(changed[key][0][0, 0], np.float32(9))
    others = [
        dataclasses.replace(adapter, tensors=changed),
        dataclasses.replace(adapter, alpha=5.0),
        dataclasses.replace(adapter, rslora=True),
    ]
    assert len({adapter.content_hash, *(other.content_hash for other in others)}) == 4


def test_scalings_follow_alpha_patterns_and_rank_stabilisation(config: ModelConfig) -> None:
    adapter = dataclasses.replace(lively_adapter(config, 4, 1), alpha=8.0, alphas={"q_proj": 2.0})
    assert adapter.scaling((0, "k_proj")) == 2.0
    assert adapter.scaling((0, "q_proj")) == 0.5
    assert dataclasses.replace(adapter, rslora=True).scaling((0, "k_proj")) == 4.0


def edit(folder: Path, **changes: Any) -> None:
    """Change adapter_config.json."""
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def spoil(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the tensors."""
    tensors = load_file(folder / "adapter_model.safetensors")
    change(tensors)
    save_file(tensors, folder / "adapter_model.safetensors")


Q = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
BAD: list[tuple[Callable[[Path], object], type[EngineError], str]] = [
    (lambda f: edit(f, use_dora=True), AdapterUnsupported, "DoRA"),
    (lambda f: edit(f, modules_to_save=["lm_head"]), AdapterUnsupported, "modules_to_save"),
    (lambda f: edit(f, bias="all"), AdapterUnsupported, "bias"),
    (lambda f: edit(f, peft_type="IA3"), AdapterUnsupported, "IA3"),
    (lambda f: edit(f, r=0), AdapterInvalid, "r must be"),
    (lambda f: edit(f, r=5), AdapterInvalid, "rank 4"),
    (lambda f: (f / "adapter_config.json").write_text("no"), AdapterInvalid, "JSON"),
    (lambda f: (f / "adapter_model.safetensors").unlink(), AdapterNotFound, "adapter_model"),
    (lambda f: (f / "adapter_model.safetensors").write_bytes(b"\0" * 9), AdapterInvalid, "safetensors"),
    (lambda f: spoil(f, lambda t: t.pop(Q)), AdapterInvalid, "lora_B only"),
    (lambda f: spoil(f, lambda t: t.update({Q: np.ones((4, 7), np.float32)})), AdapterInvalid, "do not fit"),
    (lambda f: spoil(f, lambda t: t[Q].fill(np.inf)), AdapterInvalid, "finite"),
    (
        lambda f: spoil(f, lambda t: t.update({Q.replace("layers.0", "layers.9"): t.pop(Q)})),
        AdapterInvalid,
        "lora",
    ),
    (lambda f: spoil(f, lambda t: t.update({"x.lora_A.weight": t[Q]})), AdapterUnsupported, "x.lora_A"),
]


@pytest.mark.parametrize("case", range(len(BAD)))
def test_what_a_bank_cannot_compute_is_refused_by_name(
    tmp_path: Path, config: ModelConfig, case: int
) -> None:
    change, error, named = BAD[case]
    save_adapter(tmp_path, lively_adapter(config, 4, 1))
    change(tmp_path)
    with pytest.raises(error, match=named):
        load_adapter(tmp_path, config)


class Rows:
    """A bank in host memory that records what is written where."""

    def __init__(self, registry: AdapterRegistry, rows: int) -> None:
        self.a = np.zeros((rows, registry.config.hidden_size), np.float32)
        self.bank = AdapterBank(registry, rows, self.write)

    def write(self, first: int, pages: Pages) -> None:
        """Keep the first layer's q_proj rows."""
        self.a[first : first + PAGE] = pages["q_proj"][0][0]


@pytest.fixture
def registry(config: ModelConfig) -> AdapterRegistry:
    """An empty registry."""
    return AdapterRegistry(config, 1 << 30)


def test_the_least_recently_used_adapter_leaves_the_bank_first(
    registry: AdapterRegistry, config: ModelConfig
) -> None:
    names = ["one", "two", "three", "four"]
    contents = {name: registry.register(name, lively_adapter(config, 8, i)) for i, name in enumerate(names)}
    rows = Rows(registry, 24)
    for name in ("one", "two", "three", "one", "four"):
        assert rows.bank.acquire([contents[name]])
        rows.bank.release([contents[name]])
    assert rows.bank.resident() == [contents[name] for name in ("three", "one", "four")]
    gates = rows.bank.gate_row({contents["one"]: 0.5, contents["four"]: 2.0})
    for name, gate in (("one", 0.5), ("four", 2.0)):
        expected = registry.adapter(contents[name]).tensors[0, "q_proj"][0]
        np.testing.assert_array_equal(rows.a[gates == gate], expected)


def test_used_and_pinned_adapters_stay(registry: AdapterRegistry, config: ModelConfig) -> None:
    contents = [registry.register(f"a{i}", lively_adapter(config, 8, i), pinned=i == 0) for i in range(4)]
    bank = Rows(registry, 24).bank
    assert bank.acquire([contents[0]]) and bank.acquire([contents[1]])
    bank.release([contents[0]])
    assert bank.acquire([contents[2]])
    assert not bank.acquire([contents[3]]), "one is pinned, two are in use"
    bank.release([contents[2]])
    assert bank.acquire([contents[3]])
    assert contents[2] not in bank.resident() and contents[0] in bank.resident()


def test_a_mixture_that_can_never_fit_is_refused(registry: AdapterRegistry, config: ModelConfig) -> None:
    contents = [registry.register(f"a{i}", lively_adapter(config, 16, i)) for i in range(2)]
    with pytest.raises(BankFull):
        Rows(registry, 24).bank.acquire(contents)


def test_host_memory_holds_no_more_than_its_bound(tmp_path: Path, config: ModelConfig) -> None:
    adapters = [lively_adapter(config, 4, i) for i in range(5)]
    registry = AdapterRegistry(config, 2 * adapters[0].nbytes)
    contents: list[str] = []
    for i, adapter in enumerate(adapters):
        save_adapter(tmp_path / str(i), adapter)
        contents.append(registry.register(str(i), tmp_path / str(i)))
    held = [content for content in contents if registry.info(content).adapter is not None]
    assert held == contents[3:]
    assert registry.adapter(contents[0]).content_hash == contents[0]
    shutil.rmtree(tmp_path / "1")
    save_adapter(tmp_path / "1", adapters[4])
    with pytest.raises(AdapterInvalid, match="changed"):
        registry.adapter(contents[1])


def test_a_name_points_to_its_newest_content(registry: AdapterRegistry, config: ModelConfig) -> None:
    first = registry.register("a", lively_adapter(config, 4, 1))
    assert registry.hold("a") == first
    second = registry.register("a", lively_adapter(config, 4, 2))
    assert registry.resolve("a") == second and registry.resolve(first) == first, "held contents stay known"
    registry.let_go(first)
    with pytest.raises(AdapterNotFound):
        registry.resolve(first)


def test_rows_are_padded_with_rows_that_do_nothing(config: ModelConfig) -> None:
    adapter: Adapter = lively_adapter(config, 4, 1, ("q_proj",))
    lora = adapter.lora(config, 6)
    assert lora[0]["q_proj"].a.shape == (6, config.hidden_size)
    assert float(jnp.abs(lora[1]["up_proj"].b).max()) == 0.0
