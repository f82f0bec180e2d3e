"""Tiny decoders with random weights, one per feature that a real folder may use, and their logits."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen3Config,
    SmolLM3Config,
)

from recipes.text import CHATML, byte_level

BASE: dict[str, Any] = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 3,
    "rms_norm_eps": 1e-5,
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
SHORT = {"max_position_embeddings": 64}
GEMMA: dict[str, Any] = {
    "head_dim": 16,
    "num_hidden_layers": 4,
    "sliding_window": 8,
    "layer_types": ["sliding_attention", "full_attention"] * 2,
    "query_pre_attn_scalar": 24,
    "tie_word_embeddings": True,
    "rope_parameters": {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
    },
}


@dataclass(frozen=True)
class Case:
    """One tiny model.

    Attributes:
      config: the class of transformers that describes it.
      changes: what differs from BASE.
      dtype: how the weights are stored.
      shards: largest file, in the notation of save_pretrained; None for a single file.
      version4: write config.json as transformers 4 did (``rope_theta`` and ``rope_scaling`` at the top
        level), which is how most published folders look.
    """

    config: Callable[..., Any]
    changes: dict[str, Any] = field(default_factory=dict)
    dtype: torch.dtype = torch.float32
    shards: str | None = None
    version4: bool = False


CASES: dict[str, Case] = {
    "llama": Case(LlamaConfig, {"vocab_size": 320, "eos_token_id": 2, "num_hidden_layers": 3}),
    "llama_tied_f16": Case(
        LlamaConfig, {"tie_word_embeddings": True, "num_key_value_heads": 1}, torch.float16
    ),
    "llama_bias": Case(
        LlamaConfig, {"attention_bias": True, "mlp_bias": True, "head_dim": 16}, version4=True
    ),
    "llama_rope3": Case(
        LlamaConfig, {"rope_parameters": {**LLAMA3, "rope_theta": 500000.0}}, torch.bfloat16, version4=True
    ),
    "llama_yarn": Case(
        LlamaConfig, {"rope_parameters": {**YARN, "rope_theta": 10000.0}, **SHORT}, torch.bfloat16
    ),
    "llama_linear": Case(
        LlamaConfig,
        {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}},
        torch.bfloat16,
    ),
    "qwen2_sharded_bf16": Case(
        Qwen2Config, {"tie_word_embeddings": True}, torch.bfloat16, shards="30KB", version4=True
    ),
    "qwen2_window": Case(
        Qwen2Config,
        {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1, "num_hidden_layers": 3},
        torch.bfloat16,
    ),
    "qwen3": Case(Qwen3Config, {"head_dim": 16, "tie_word_embeddings": True}),
    "qwen3_yarn": Case(
        Qwen3Config,
        {"head_dim": 16, "rope_parameters": {**YARN, "rope_theta": 1e6}, **SHORT},
        torch.bfloat16,
        version4=True,
    ),
    "smollm3": Case(
        SmolLM3Config, {"num_hidden_layers": 4, "no_rope_layer_interval": 2, "tie_word_embeddings": True}
    ),
    "smollm3_window": Case(
        SmolLM3Config,
        {
            "num_hidden_layers": 4,
            "no_rope_layer_interval": 4,
            "use_sliding_window": True,
            "sliding_window": 8,
            "layer_types": ["sliding_attention"] * 3 + ["full_attention"],
        },
        torch.bfloat16,
    ),
    "mistral": Case(MistralConfig, {"head_dim": 16, "sliding_window": 8}),
    "gemma3": Case(Gemma3TextConfig, GEMMA),
    "gemma3_bf16": Case(Gemma3TextConfig, GEMMA, torch.bfloat16, version4=True),
}


def randomize(model: PreTrainedModel, seed: int) -> None:
    """Draw every parameter anew, norms and biases included: the library starts those at 1 and 0."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in sorted(model.named_parameters()):
            noise = torch.randn(value.shape, generator=generator)
            if "norm" in name.lower() and name.endswith("weight"):
                value.copy_(1 + 0.2 * noise)
            elif value.ndim < 2:
                value.copy_(0.2 * noise)
            else:
                value.copy_(noise / value.shape[-1] ** 0.5 if "embed" not in name else noise)


def _as_version4(folder: Path) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters", {})
    if "full_attention" in rope:
        config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        config["sliding_window_pattern"] = config["layer_types"].index("full_attention") + 1
        rope = rope["full_attention"]
    config["rope_theta"] = rope.pop("rope_theta", 10000.0)
    config["rope_scaling"] = None if rope.get("rope_type", "default") == "default" else rope
    config["torch_dtype"] = config.pop("dtype")
    config.pop("layer_types", None)
    config["transformers_version"] = "4.46.0"
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def _save(name: str, case: Case, seed: int, folder: Path) -> None:
    config = case.config(**{**BASE, **case.changes})
    model = AutoModelForCausalLM.from_config(config)
    randomize(model, seed)
    model = model.to(case.dtype)
    model.config.dtype = case.dtype
    options = {"max_shard_size": case.shards} if case.shards else {}
    model.save_pretrained(folder, **options)
    if name == "llama":
        byte_level(CHATML).save_pretrained(folder)
    if case.version4:
        _as_version4(folder)


def batch(vocabulary: int, seed: int, length: int = 40) -> dict[str, torch.Tensor]:
    """Four rows of ``length``: full, padded right, padded left, and a short one padded on both sides."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(4, vocabulary, (4, length), generator=generator)
    mask = torch.ones(4, length, dtype=torch.long)
    mask[1, length - 11 :] = 0
    mask[2, :7] = 0
    mask[3, :3] = 0
    mask[3, 9:] = 0
    tokens[mask == 0] = 3
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    return {"input_ids": tokens, "attention_mask": mask, "position_ids": positions}


def load(folder: Path) -> PreTrainedModel:
    """The folder as transformers runs it: f32, the plain (eager) attention, no dropout."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval()


def make(out: Path) -> None:
    """Write models/<name>/ and logits/<name>.npz.

    In the file: tokens, mask, positions [B,T]; logits [N,V] where mask is 1; greedy [B,8], what ``generate``
    appends to the real tokens of each row.
    """
    (out / "logits").mkdir(parents=True, exist_ok=True)
    for index, (name, case) in enumerate(CASES.items()):
        folder = out / "models" / name
        _save(name, case, 1000 + index, folder)
        model = load(folder)
        inputs = batch(model.config.vocab_size, 2000 + index)
        with torch.no_grad():
            logits = model(**inputs, use_cache=False).logits
            greedy = [
                model.generate(
                    row[mask == 1][None], max_new_tokens=8, do_sample=False, eos_token_id=None, pad_token_id=3
                )[0, int(mask.sum()) :]
                for row, mask in zip(inputs["input_ids"], inputs["attention_mask"], strict=True)
            ]
        np.savez_compressed(
            out / "logits" / f"{name}.npz",
            tokens=inputs["input_ids"].numpy().astype(np.int32),
            mask=inputs["attention_mask"].numpy().astype(np.int8),
            positions=inputs["position_ids"].numpy().astype(np.int32),
            logits=logits[inputs["attention_mask"] == 1].numpy(),
            greedy=torch.stack(greedy).numpy().astype(np.int32),
        )
