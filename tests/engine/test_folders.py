"""Model folders: what is read, what is refused, and how."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.engine.models import tiny_config

from liminal.engine.config import ModelConfig, RopeScaling, config_json, parse_config, read_config
from liminal.engine.engine import Engine
from liminal.engine.errors import EngineError, MemoryShort, ModelInvalid, ModelNotFound, ModelUnsupported
from liminal.engine.memory import plan_memory
from liminal.engine.options import EngineOptions
from liminal.engine.params import Params, init_params, parameter_count
from liminal.engine.tokenizer import Tokenizer
from liminal.engine.weights import load_params, save_model

SWITCHES: list[dict[str, Any]] = [
    {},
    {"family": "qwen2", "qkv_bias": True, "tied": False, "windows": (16, None)},
    {"family": "qwen3", "qk_norm": True, "rope": RopeScaling("yarn", 4.0, 256)},
    {"family": "smollm3", "rotary": (True, False)},
    {"family": "mistral", "windows": (16, 16)},
    {
        "family": "gemma3_text",
        "windows": (16, None),
        "qk_norm": True,
        "activation": "gelu_tanh",
        "sandwich": True,
        "embed_scale": 32**0.5,
        "query_scale": (24 / 16) ** -0.5,
        "local_theta": 10000.0,
        "rope_theta": 1e6,
        "rope": RopeScaling("linear", 8.0, 1024),
    },
    {"o_bias": True, "qkv_bias": True, "mlp_bias": True, "rope": RopeScaling("llama3", 8.0, 128)},
]


@pytest.mark.parametrize("changes", SWITCHES)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_a_saved_model_is_read_back_bit_for_bit(tmp_path: Path, changes: dict[str, Any], dtype: Any) -> None:
    config = tiny_config(**changes)
    params = init_params(config, 1, dtype)
    save_model(tmp_path, config, params, dtype, shard_bytes=20_000)
    assert len(list(tmp_path.glob("*.safetensors"))) > 1, "sharded"
    assert read_config(tmp_path) == config
    loaded = load_params(tmp_path, config, dtype)
    jax.tree.map(np.testing.assert_array_equal, params, loaded)
    assert parameter_count(config) == sum(leaf.size for leaf in jax.tree.leaves(loaded))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model_type": "mixtral"}, "mixtral"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"hidden_act": "gelu"}, "gelu"),
        ({"rope_scaling": {"rope_type": "longrope", "factor": 2}}, "longrope"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ({"num_experts": 8}, "mixture-of-experts"),
        ({"final_logit_softcapping": 30.0}, "final_logit_softcapping"),
        (
            {"model_type": "gemma3_text", "hidden_act": None, "use_bidirectional_attention": True},
            "bidirectional",
        ),
        ({"model_type": "gemma3_text", "layer_types": ["chunked_attention"] * 2}, "chunked"),
    ],
)
def test_what_is_not_computed_is_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ModelUnsupported, match=named):
        parse_config(config_json(tiny_config()) | changes)


def test_gemma_is_read_as_transformers_4_and_5_write_it() -> None:
    six = {"num_hidden_layers": 6, "head_dim": 16, "sliding_window": 24}
    small = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "vocab_size": 260}
    bare = {"model_type": "gemma3_text"} | six | small
    config = parse_config(bare)
    assert (config.windows, config.rope_theta, config.local_theta) == ((24,) * 5 + (None,), 1e6, 1e4)
    assert config.tied and config.qk_norm and config.sandwich
    assert config.embed_scale == pytest.approx(32**0.5) and config.query_scale == pytest.approx(1 / 4)
    whole = {"rope_type": "linear", "factor": 8.0, "rope_theta": 2e6}
    sliding = {"rope_type": "default", "rope_theta": 5000.0}
    both = {"rope_parameters": {"full_attention": whole, "sliding_attention": sliding}}
    stretched = parse_config(bare | both | {"sliding_window_pattern": 2})
    assert (stretched.rope_theta, stretched.local_theta, stretched.rope.factor) == (2e6, 5000.0, 8.0)
    assert stretched.windows == (24, None) * 3


def test_every_layer_of_mistral_has_the_window_that_it_names_or_none() -> None:
    raw = config_json(tiny_config(family="mistral", windows=(16, 16)))
    raw.pop("layer_types")
    assert parse_config(raw).windows == (16, 16)
    assert parse_config(raw | {"sliding_window": None}).windows == (None, None)
    raw.pop("sliding_window")
    assert parse_config(raw).windows == (4096, 4096), "as transformers reads older folders"


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_size": -1},
        {"num_attention_heads": 10**9},
        {"num_key_value_heads": 3},
        {"vocab_size": "many"},
        {"rope_scaling": {"rope_type": "yarn"}},
        {"head_dim": 7},
        {"rope_parameters": [1]},
    ],
)
def test_nonsense_in_the_configuration_gives_one_clear_sentence(changes: dict[str, Any]) -> None:
    with pytest.raises(ModelInvalid) as refusal:
        parse_config(config_json(tiny_config()) | changes)
    assert next(iter(changes)).split("_")[0] in refusal.value.message


def spoil(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrite the weights after a change to the dictionary of tensors."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def truncate(folder: Path) -> None:
    """Cut the weights in half."""
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def shards_elsewhere(folder: Path) -> None:
    """An index that points outside its folder."""
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"model.norm.weight": "../../secret.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


HOSTILE: list[tuple[Callable[[Path], object], type[EngineError]]] = [
    (truncate, ModelInvalid),
    (shards_elsewhere, ModelInvalid),
    (lambda f: (f / "model.safetensors").write_bytes(b"\xff" * 64), ModelInvalid),
    (lambda f: (f / "model.safetensors").write_bytes((1 << 40).to_bytes(8, "little") + b"{}"), ModelInvalid),
    (lambda f: spoil(f, lambda t: t.pop("model.norm.weight")), ModelInvalid),
    (lambda f: spoil(f, lambda t: t.update({"model.norm.weight": np.ones(5, np.float32)})), ModelInvalid),
    (lambda f: spoil(f, lambda t: t.update({"model.norm.weight": np.ones(32, np.int64)})), ModelUnsupported),
    (
        lambda f: spoil(f, lambda t: t.update({"model.vision.weight": np.ones(5, np.float32)})),
        ModelUnsupported,
    ),
    (lambda f: (f / "config.json").write_text("{"), ModelInvalid),
    (lambda f: (f / "config.json").write_text("[" * 100_000), ModelInvalid),
    (lambda f: (f / "config.json").write_text(" " * (2 << 20)), ModelInvalid),
    (lambda f: (f / "tokenizer.json").write_text("{}"), ModelInvalid),
    (lambda f: (f / "tokenizer.json").unlink(), ModelNotFound),
    (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), ModelUnsupported),
    (lambda f: (f / "chat_template.jinja").write_text("{% for"), ModelInvalid),
]


@pytest.mark.parametrize("case", range(len(HOSTILE)))
def test_a_damaged_or_hostile_folder_gives_one_clear_sentence(
    folder: Path, tmp_path: Path, case: int
) -> None:
    change, error = HOSTILE[case]
    copy = tmp_path / "model"
    shutil.copytree(folder, copy)
    change(copy)
    with pytest.raises(error) as refusal:
        Tokenizer.load(copy)
        load_params(copy, read_config(copy))
    assert "\n" not in refusal.value.message.strip() and len(refusal.value.message) < 500


def test_memory_is_counted_before_anything_is_loaded(
    folder: Path, config: ModelConfig, params: Params
) -> None:
    plan = plan_memory(config, slots=4, context=100, chunk=16, rows=24, dtype=jnp.float32)
    assert plan.weights == sum(leaf.nbytes for leaf in jax.tree.leaves(params))
    with pytest.raises(MemoryShort, match="lower slots"):
        Engine.load(folder, EngineOptions(slots=1 << 26))


def test_an_engine_holds_what_was_planned(engine: Engine) -> None:
    plan = engine.options.memory(engine.config)
    runner = engine.runner
    held = [
        sum(leaf.nbytes for leaf in jax.tree.leaves(tree))
        for tree in (runner.params, runner.cache, runner.bank)
    ]
    assert held == [plan.weights, plan.cache, plan.bank]
