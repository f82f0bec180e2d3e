"""A decoder's shape from GGUF metadata, said in the words of ``config.json`` and checked as that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from liminal.engine.config import ModelConfig, parse_config
from liminal.engine.errors import ModelInvalid, ModelUnsupported
from liminal.engine.gguf.header import Header

ARCHITECTURES: Mapping[str, str] = {
    "llama": "llama",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "smollm3": "smollm3",
    "gemma3": "gemma3_text",
}
"""``general.architecture`` → model type. Mistral's files call themselves llama."""
REFUSED = ("expert_count", "rope.scaling.attn_factor", "attn_logit_softcapping", "final_logit_softcapping")
WINDOWED = ("llama", "gemma3")
GEMMA_27B = 62
"""Layers of the one Gemma 3 whose queries are scaled by hidden / heads (llama.cpp, gemma3)."""


def read_gguf_config(header: Header) -> ModelConfig:
    """The configuration of a GGUF file. Raises ModelUnsupported by name, ModelInvalid for nonsense."""
    architecture = header.text("general.architecture")
    if header.text("general.type", "model") not in ("", "model"):
        raise ModelUnsupported(f"{header.path.name} is of type {header.text('general.type')!r}, not a model")
    if header.number("split.count", 1) not in (None, 0, 1):
        raise ModelUnsupported(f"{header.path.name} is one part of several; join them with gguf-split")
    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ModelUnsupported(f"architecture {architecture!r} is not supported; {known} are")
    refused = REFUSED if architecture in WINDOWED else (*REFUSED, "attention.sliding_window")
    for name in refused:
        if header.metadata.get(f"{architecture}.{name}"):
            raise ModelUnsupported(f"{architecture}.{name} is not supported")
    return parse_config(_as_json(header, architecture))


def _as_json(header: Header, architecture: str) -> dict[str, Any]:
    def of(name: str, default: Any = None) -> Any:
        return header.metadata.get(f"{architecture}.{name}", default)

    heads, hidden = of("attention.head_count"), of("embedding_length")
    if not isinstance(heads, int) or not isinstance(hidden, int) or heads < 1:
        raise ModelInvalid(f"{header.path.name}: attention.head_count or embedding_length is no number")
    embedding = header.tensors.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        raise ModelInvalid(f"{header.path.name}: tensor token_embd.weight is missing")
    raw: dict[str, Any] = {
        "model_type": ARCHITECTURES[architecture],
        "vocab_size": embedding.shape[0],
        "hidden_size": hidden,
        "intermediate_size": of("feed_forward_length"),
        "num_hidden_layers": of("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": of("attention.head_count_kv", heads),
        "head_dim": of("attention.key_length") or hidden // heads,
        "max_position_embeddings": of("context_length"),
        "rms_norm_eps": of("attention.layer_norm_rms_epsilon", 1e-6),
        "rope_theta": of("rope.freq_base", 10000.0),
        "tie_word_embeddings": "output.weight" not in header.tensors,
        "attention_bias": "blk.0.attn_q.bias" in header.tensors,
        "mlp_bias": "blk.0.ffn_up.bias" in header.tensors,
        "bos_token_id": header.number("tokenizer.ggml.bos_token_id"),
        "eos_token_id": end_tokens(header),
        "pad_token_id": header.number("tokenizer.ggml.padding_token_id"),
        "rope_scaling": _scaling(header, of),
    }
    if architecture == "llama" and of("attention.sliding_window"):
        raw |= {"model_type": "mistral", "sliding_window": of("attention.sliding_window")}
    if architecture == "gemma3":
        wide = of("block_count") == GEMMA_27B
        raw |= {
            "sliding_window": of("attention.sliding_window"),
            "sliding_window_pattern": of("attention.sliding_window_pattern"),
            "rope_local_base_freq": of("rope.freq_base_swa", 10000.0),
            "query_pre_attn_scalar": hidden // heads if wide else raw["head_dim"],
        }
    rotated = of("rope.dimension_count")
    if rotated not in (None, raw["head_dim"]):
        raise ModelUnsupported(f"rotary positions of {rotated} among {raw['head_dim']} dimensions")
    return raw


def end_tokens(header: Header) -> list[int]:
    """The tokens that end an answer."""
    keys = ("eos_token_id", "eot_token_id", "eom_token_id")
    found = (header.number(f"tokenizer.ggml.{key}") for key in keys)
    return sorted({token for token in found if token is not None})


def _scaling(header: Header, of: Callable[..., Any]) -> dict[str, Any] | None:
    if "rope_freqs.weight" in header.tensors:
        raise ModelUnsupported("rotary frequencies as a tensor (rope_freqs.weight) are not supported")
    kind = of("rope.scaling.type", "none")
    if kind == "none":
        factor = of("rope.scale_linear", 1.0)
        return None if factor == 1.0 else {"rope_type": "linear", "factor": factor}
    if kind not in ("linear", "yarn"):
        raise ModelUnsupported(f"rope scaling {kind!r} is not supported; linear and yarn are")
    return {
        "rope_type": kind,
        "factor": of("rope.scaling.factor"),
        "original_max_position_embeddings": of("rope.scaling.original_context_length"),
    }
