"""LoRA adapters as llama.cpp reads them: a GGUF file of the type ``adapter``.

The layout is that of llama.cpp's convert_lora_to_gguf.py: ``blk.{i}.attn_q.weight.lora_a`` [r, in] and
``.lora_b`` [out, r], and one ``adapter.lora.alpha`` for all: llama.cpp scales each pair by alpha over its
rank.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter
from numpy.typing import NDArray

from liminal.engine.config import ModelConfig
from liminal.engine.errors import AdapterUnsupported
from liminal.engine.gguf.config import ARCHITECTURES
from liminal.engine.gguf.tensors import INTERLEAVED, LAYER
from liminal.engine.peft import Adapter, Key, check_adapter

TENSORS = {module.split(".")[1]: name for name, module in LAYER.items() if module.endswith("_proj")}
"""LoRA target → the tensor's name in GGUF."""

ARCHITECTURE = {family: name for name, family in ARCHITECTURES.items()} | {"mistral": "llama"}
"""Model type → ``general.architecture``."""


def save_gguf_adapter(
    file: str | Path, adapter: Adapter, config: ModelConfig, base_model: str | None = None
) -> None:
    """Write an adapter for llama.cpp over a GGUF file of the same base model, in f32.

    With scale s, llama.cpp then computes what a gate of s does here. Raises AdapterInvalid for an adapter
    that doesn't fit the base, AdapterUnsupported for a family without a GGUF name.
    """
    check_adapter(adapter, config)
    if config.family not in ARCHITECTURE:
        raise AdapterUnsupported(
            f"adapters of {config.family} can't be written as GGUF", family=config.family
        )
    writer = GGUFWriter(file, ARCHITECTURE[config.family])
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", adapter.alpha)
    if base_model is not None:
        writer.add_base_model_count(1)
        writer.add_base_model_name(0, base_model)
    for key in sorted(adapter.tensors):
        name = f"blk.{key[0]}.{TENSORS[key[1]]}.weight"
        a, b = _pair(adapter, key, config)
        writer.add_tensor(f"{name}.lora_a", a)
        writer.add_tensor(f"{name}.lora_b", b)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _pair(adapter: Adapter, key: Key, config: ModelConfig) -> tuple[NDArray[Any], NDArray[Any]]:
    a, b = (np.asarray(half, np.float32) for half in adapter.tensors[key])
    plain = adapter.alpha / a.shape[0]
    if adapter.scaling(key) != plain:
        # llama.cpp has one alpha and no rsLoRA: what this pair has of its own goes into its weights
        b = b * np.float32(adapter.scaling(key) / plain)
    heads = {"q_proj": config.heads, "k_proj": config.kv_heads}.get(key[1])
    if heads is not None and ARCHITECTURE[config.family] in INTERLEAVED:
        b = _interleaved(b, heads)
    return np.ascontiguousarray(a), np.ascontiguousarray(b)


def _interleaved(rows: NDArray[Any], heads: int) -> NDArray[Any]:
    # Hugging Face rotates a head's first half with its second, llama.cpp's llama each even row with the next
    half = rows.shape[0] // heads // 2
    return rows.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(rows.shape)
