"""Small GGUF files, written by the package gguf."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

HIDDEN, INNER, HEADS, KV_HEADS, LAYERS = 256, 256, 4, 2, 2
HEAD_DIM = HIDDEN // HEADS
QUANTISED = gguf.GGMLQuantizationType
TOKENS = [
    "<unk>",
    "<s>",
    "</s>",
    *(chr(code) for code in range(33, 127)),
    "Ġ",
    "Ċ",
    "he",
    "ll",
    "llo",
    "hello",
]
MERGES = ["h e", "l l", "ll o", "he llo"]


def matrices(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Random tensors of a llama, by llama.cpp's names."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> NDArray[np.float32]:
        return (rng.standard_normal(shape) * 0.05).astype(np.float32)

    found = {"token_embd.weight": normal(len(TOKENS), HIDDEN), "output_norm.weight": 1 + normal(HIDDEN)}
    for layer in range(LAYERS):
        shapes = {
            "attn_q": (HIDDEN, HIDDEN),
            "attn_k": (KV_HEADS * HEAD_DIM, HIDDEN),
            "attn_v": (KV_HEADS * HEAD_DIM, HIDDEN),
            "attn_output": (HIDDEN, HIDDEN),
            "ffn_gate": (INNER, HIDDEN),
            "ffn_up": (INNER, HIDDEN),
            "ffn_down": (HIDDEN, INNER),
        }
        found |= {f"blk.{layer}.{name}.weight": normal(*shape) for name, shape in shapes.items()}
        found |= {f"blk.{layer}.{name}.weight": 1 + normal(HIDDEN) for name in ("attn_norm", "ffn_norm")}
    return found


def write_gguf(
    path: Path,
    kind: str = "Q4_1",
    changes: Mapping[str, Any] | None = None,
    tensors: Mapping[str, NDArray[np.float32]] | None = None,
    architecture: str = "llama",
) -> dict[str, NDArray[np.float32]]:
    """Write a model; returns each tensor as the file says it, by llama.cpp's names.

    changes: metadata instead of what would be there; None leaves a key out.
    """
    metadata: dict[str, Any] = {
        f"{architecture}.block_count": LAYERS,
        f"{architecture}.context_length": 512,
        f"{architecture}.embedding_length": HIDDEN,
        f"{architecture}.feed_forward_length": INNER,
        f"{architecture}.attention.head_count": HEADS,
        f"{architecture}.attention.head_count_kv": KV_HEADS,
        f"{architecture}.attention.layer_norm_rms_epsilon": 1e-5,
        f"{architecture}.rope.freq_base": 10000.0,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.token_type": [3, 3, 3, *[1] * (len(TOKENS) - 3)],
        "tokenizer.ggml.merges": MERGES,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}",
        **(changes or {}),
    }
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in metadata.items():
        if value is not None:
            _add(writer, key, value)
    written: dict[str, NDArray[np.float32]] = {}
    for name, wide in (tensors or matrices()).items():
        numbers = QUANTISED.F32 if wide.ndim == 1 else QUANTISED[kind]
        data = wide if numbers == QUANTISED.F32 else _quantised(wide, numbers)
        writer.add_tensor(name, data, raw_dtype=numbers)
        written[name] = wide if numbers == QUANTISED.F32 else gguf.dequantize(data, numbers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return written


def _add(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, list):
        writer.add_array(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, bool):
        writer.add_bool(key, value)
    else:
        writer.add_uint32(key, value)


def _quantised(wide: NDArray[np.float32], numbers: QUANTISED) -> NDArray[Any]:
    try:
        return gguf.quantize(wide, numbers)
    except NotImplementedError:
        # the package only reads K-quants: any bytes are some, where the scales of the blocks are small
        block, size = gguf.GGML_QUANT_SIZES[numbers]
        rng = np.random.default_rng(1)
        rows = rng.integers(0, 256, (*wide.shape[:-1], wide.shape[-1] // block, size), np.uint8)
        scales = np.frombuffer(np.float16(0.001).tobytes(), np.uint8)
        if numbers == QUANTISED.Q6_K:
            rows[..., -2:] = scales
        else:
            rows[..., :4] = np.tile(scales, 2)
        return rows.reshape(*wide.shape[:-1], -1)
