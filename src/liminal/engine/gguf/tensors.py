"""The tensors of a GGUF file under Hugging Face's names, dequantised or as the blocks that the file has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, dequantize
from numpy.typing import NDArray

from liminal.engine.config import ModelConfig
from liminal.engine.errors import ModelInvalid, ModelUnsupported
from liminal.engine.gguf.header import Header, Tensor
from liminal.engine.weights import expected_tensors

LAYER: Mapping[str, str] = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
"""A layer's tensors: llama.cpp's name → Hugging Face's."""
SANDWICH: Mapping[str, str] = {
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
"""What is called otherwise where there are norms after attention and MLP too."""
OUTSIDE: Mapping[str, str] = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
KINDS = ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K")
"""Numbers that are read."""
FLOATS = ("F32", "F16", "BF16")
INTERLEAVED = ("llama", "smollm3")
"""Architectures whose q and k rows llama.cpp keeps in the order of interleaved rotary pairs."""


@dataclass(frozen=True)
class StoredBlocks:
    """A quantised matrix as its file has it.

    Attributes:
      kind: GGML's name of its blocks (``Q4_1``).
      rows: uint8 [out, bytes of a row], in the order of Hugging Face's rows.
      shape: (out, in).
    """

    kind: str
    rows: NDArray[np.uint8]
    shape: tuple[int, int]


class GgufTensors:
    """Reads tensors from the mapped file, each only when it is asked for."""

    def __init__(self, header: Header, config: ModelConfig) -> None:
        """Raises ModelInvalid or ModelUnsupported unless the file has exactly what the configuration says."""
        self._header = header
        self._config = config
        layer = {**LAYER, **(SANDWICH if config.sandwich else {})}
        self._places = {_hugging_face(name, layer): tensor for name, tensor in header.tensors.items()}
        _check(header, config, self._places)

    @property
    def names(self) -> Mapping[str, Tensor]:
        """Where each tensor is, by Hugging Face's name."""
        return self._places

    def blocks(self, name: str) -> StoredBlocks | None:
        """A matrix as blocks; None where it is stored in floats."""
        tensor = self._places[name]
        if tensor.kind in FLOATS:
            return None
        rows = np.ascontiguousarray(self._unpermuted(name, self._raw(tensor)))
        return StoredBlocks(tensor.kind, rows, (tensor.shape[0], tensor.shape[1]))

    def wide(self, name: str) -> NDArray[np.float32]:
        """A tensor in f32."""
        tensor = self._places[name]
        raw = self._raw(tensor)
        kind = GGMLQuantizationType[tensor.kind]
        values = raw.view(np.float32) if tensor.kind == "F32" else dequantize(raw, kind)
        return self._unpermuted(name, values.reshape(tensor.shape))

    def _raw(self, tensor: Tensor) -> NDArray[np.uint8]:
        rows = tensor.shape[0] if len(tensor.shape) > 1 else 1
        mapped = np.memmap(self._header.path, np.uint8, "r", tensor.start, (tensor.nbytes,))
        return np.asarray(mapped).reshape(rows, -1)

    def _unpermuted(self, name: str, rows: NDArray[Any]) -> NDArray[Any]:
        """llama.cpp's converter interleaves the halves of each head of q and k, for its way to rotate."""
        if self._header.text("general.architecture") not in INTERLEAVED:
            return rows
        if ".self_attn.q_proj." in name:
            heads = self._config.heads
        elif ".self_attn.k_proj." in name:
            heads = self._config.kv_heads
        else:
            return rows
        half = rows.shape[0] // heads // 2
        return rows.reshape(heads, half, 2, -1).swapaxes(1, 2).reshape(rows.shape)


def _hugging_face(name: str, layer: Mapping[str, str]) -> str:
    parts = name.split(".")
    if len(parts) == 2 and parts[0] in OUTSIDE:
        return f"{OUTSIDE[parts[0]]}.{parts[1]}"
    if len(parts) == 4 and parts[0] == "blk" and parts[2] in layer:
        return f"model.layers.{parts[1]}.{layer[parts[2]]}.{parts[3]}"
    return name


def _check(header: Header, config: ModelConfig, found: Mapping[str, Tensor]) -> None:
    expected = expected_tensors(config)
    for name, shape in expected.items():
        tensor = found.get(name)
        if tensor is None:
            raise ModelInvalid(f"{header.path.name}: tensor {name} is missing")
        if tensor.shape != shape:
            raise ModelInvalid(
                f"{header.path.name}: tensor {name} has shape {list(tensor.shape)}, not {list(shape)}"
            )
        if tensor.kind not in KINDS:
            raise ModelUnsupported(
                f"{header.path.name}: tensor {name} is in {tensor.kind}; {', '.join(KINDS)} are supported"
            )
    extra = sorted(set(found) - set(expected))
    if extra:
        raise ModelUnsupported(
            f"unknown tensors, such as {extra[0]}: the model has parts this engine does not compute"
        )
