"""The shape of a decoder, read from a Hugging Face ``config.json``.

Llama, Mistral, Qwen2, Qwen3, SmolLM3 and Gemma 3 are one architecture with switches; SmolLM2 calls itself
Llama. What the switches cannot express is refused by name, before any weight is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from liminal.engine.errors import ModelInvalid, ModelNotFound, ModelUnsupported
from liminal.engine.positions import RopeScaling, local_theta, read_rope, read_windows, rotary_layers

Family = Literal["llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma3_text"]
FAMILIES: tuple[Family, ...] = ("llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma3_text")

ARCHITECTURES: Mapping[Family, str] = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "smollm3": "SmolLM3ForCausalLM",
    "gemma3_text": "Gemma3ForCausalLM",
}

MAX_CONFIG_BYTES = 1 << 20

CURRENT = "current"
"""In a store of models: the name of the one that was chosen."""
RECORD = "liminal.json"
"""Beside a model's files: where it came from, and what it is called."""


@dataclass(frozen=True)
class ModelConfig:
    """All that the decoder needs to know; hashable, so it is a static argument of compiled programs.

    Attributes:
      windows: per layer, the sliding attention window in tokens, or None for full attention.
      rotary: per layer, whether rotary positions are applied (SmolLM3 leaves some layers without).
      max_positions: longest context the weights were made for, in tokens.
      activation: between gate and up. sandwich: norms after attention and MLP too, as Gemma has them.
      embed_scale: on token embeddings; query_scale: on queries, beside head_dim^-0.5.
      local_theta: rotary base of layers with a window, where it is another.
    """

    family: Family
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    max_positions: int
    norm_eps: float
    rope_theta: float
    rope: RopeScaling
    tied: bool
    qkv_bias: bool
    o_bias: bool
    mlp_bias: bool
    qk_norm: bool
    windows: tuple[int | None, ...]
    rotary: tuple[bool, ...]
    bos_id: int | None
    eos_ids: tuple[int, ...]
    pad_id: int | None
    activation: Literal["silu", "gelu_tanh"] = "silu"
    sandwich: bool = False
    embed_scale: float = 1.0
    query_scale: float = 1.0
    local_theta: float | None = None

    @property
    def norms(self) -> dict[str, str]:
        """A layer's norms of [hidden]: name in Layer → Hugging Face's."""
        if not self.sandwich:
            return {"input_norm": "input_layernorm", "post_norm": "post_attention_layernorm"}
        return {
            "input_norm": "input_layernorm",
            "attention_out_norm": "post_attention_layernorm",
            "post_norm": "pre_feedforward_layernorm",
            "mlp_out_norm": "post_feedforward_layernorm",
        }

    def linear_shapes(self) -> dict[str, tuple[int, int]]:
        """[out, in] of every linear of a layer, by the name that LoRA targets use."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        hidden, inner = self.hidden_size, self.intermediate_size
        return {
            "q_proj": (q, hidden),
            "k_proj": (kv, hidden),
            "v_proj": (kv, hidden),
            "o_proj": (hidden, q),
            "gate_proj": (inner, hidden),
            "up_proj": (inner, hidden),
            "down_proj": (hidden, inner),
        }


def small_config(**changes: Any) -> ModelConfig:
    """A Llama-shaped configuration of a few thousand parameters; ``changes`` replace any field."""
    layers = int(changes.get("layers", 2))
    values: dict[str, Any] = {
        "family": "llama",
        "vocab_size": 256,
        "hidden_size": 32,
        "intermediate_size": 64,
        "layers": layers,
        "heads": 4,
        "kv_heads": 2,
        "head_dim": 8,
        "max_positions": 512,
        "norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "rope": RopeScaling(),
        "tied": True,
        "qkv_bias": False,
        "o_bias": False,
        "mlp_bias": False,
        "qk_norm": False,
        "windows": (None,) * layers,
        "rotary": (True,) * layers,
        "bos_id": None,
        "eos_ids": (),
        "pad_id": None,
    }
    return ModelConfig(**(values | changes))


def model_name(folder: str | Path) -> str:
    """What a model is called: as its record (liminal.json) says, else as its folder."""
    record = Path(folder) / RECORD
    name = read_json(record).get("name") if record.is_file() else None
    return name if isinstance(name, str) else Path(folder).resolve().name


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a small file of a model folder.

    Raises ModelNotFound if the file is absent, ModelInvalid if it is too large or not an object.
    """
    if not path.is_file():
        raise ModelNotFound(f"{path.name} is missing from {path.parent}", path=str(path))
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise ModelInvalid(f"{path.name} is larger than {MAX_CONFIG_BYTES} bytes", path=str(path))
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ModelInvalid(f"{path.name} is not valid JSON: {error}", path=str(path)) from error
    if not isinstance(value, dict):
        raise ModelInvalid(f"{path.name} must hold a JSON object", path=str(path))
    return cast("dict[str, Any]", value)


def read_config(folder: str | Path) -> ModelConfig:
    """The configuration of a Hugging Face model folder.

    Raises ModelUnsupported for what this engine does not compute, ModelInvalid for nonsense.
    """
    return parse_config(read_json(Path(folder) / "config.json"))


def parse_config(raw: Mapping[str, Any]) -> ModelConfig:
    """A ModelConfig from the content of ``config.json``; raises as read_config does."""
    model_type = raw.get("model_type")
    if model_type not in FAMILIES:
        raise ModelUnsupported(
            f"model_type {model_type!r} is not supported; this engine computes {', '.join(FAMILIES)}",
            model_type=str(model_type),
        )
    family: Family = model_type
    _refuse_features(raw)
    read = _Fields(raw)
    hidden, heads, layers = (
        read.size("hidden_size"),
        read.size("num_attention_heads"),
        read.size("num_hidden_layers"),
    )
    kv_heads = read.size("num_key_value_heads", heads)
    if heads % kv_heads:
        raise ModelInvalid(f"num_attention_heads {heads} is not a multiple of num_key_value_heads {kv_heads}")
    head_dim = read.size("head_dim", {"qwen3": 128, "gemma3_text": 256}.get(family, hidden // heads))
    if head_dim % 2:
        raise ModelInvalid(f"head_dim {head_dim} is odd; rotary positions need pairs")
    max_positions = read.size("max_position_embeddings", 2048)
    bias = bool(raw.get("attention_bias", False)) and family != "mistral"
    theta, rope = read_rope(raw, max_positions)
    return ModelConfig(
        family=family,
        vocab_size=read.size("vocab_size"),
        hidden_size=hidden,
        intermediate_size=read.size("intermediate_size"),
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        max_positions=max_positions,
        norm_eps=float(raw.get("rms_norm_eps", 1e-6)),
        rope_theta=theta,
        rope=rope,
        tied=bool(raw.get("tie_word_embeddings", family in ("smollm3", "gemma3_text"))),
        qkv_bias=True if family == "qwen2" else bias,
        o_bias=False if family == "qwen2" else bias,
        mlp_bias=bool(raw.get("mlp_bias", False)) if family in ("llama", "smollm3") else False,
        qk_norm=family in ("qwen3", "gemma3_text"),
        windows=read_windows(raw, family, layers),
        rotary=rotary_layers(raw, family, layers),
        bos_id=read.token("bos_token_id"),
        eos_ids=read.tokens("eos_token_id"),
        pad_id=read.token("pad_token_id"),
        **(_of_gemma(raw, hidden, head_dim) if family == "gemma3_text" else {}),
    )


def _of_gemma(raw: Mapping[str, Any], hidden: int, head_dim: int) -> dict[str, Any]:
    return {
        "activation": "gelu_tanh",
        "sandwich": True,
        "embed_scale": hidden**0.5,
        "query_scale": (float(raw.get("query_pre_attn_scalar", 256)) / head_dim) ** -0.5,
        "local_theta": local_theta(raw),
    }


class _Fields:
    """Typed access to config.json with one clear sentence on nonsense."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw

    def size(self, name: str, default: int | None = None) -> int:
        value = self.raw.get(name)
        if value is None:
            value = default
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= 1 << 24:
            raise ModelInvalid(f"config.json: {name} must be a positive integer, not {value!r}")
        return value

    def token(self, name: str) -> int | None:
        value = self.raw.get(name)
        return value if isinstance(value, int) else None

    def tokens(self, name: str) -> tuple[int, ...]:
        value = self.raw.get(name)
        if isinstance(value, list):
            return tuple(int(item) for item in cast("list[Any]", value))
        return () if value is None else (int(value),)


def _refuse_features(raw: Mapping[str, Any]) -> None:
    if raw.get("quantization_config"):
        raise ModelUnsupported(
            "quantised checkpoints (quantization_config) are not supported; use the original weights"
        )
    gemma = raw.get("model_type") == "gemma3_text"
    name, wanted = ("hidden_activation", "gelu_pytorch_tanh") if gemma else ("hidden_act", "silu")
    activation = raw.get(name, wanted)
    if activation != wanted:
        raise ModelUnsupported(f"{name} {activation!r} is not supported; only {wanted} is")
    for capping in ("attn_logit_softcapping", "final_logit_softcapping"):
        if raw.get(capping):
            raise ModelUnsupported(f"{capping} is not supported")
    if raw.get("use_bidirectional_attention"):
        raise ModelUnsupported("use_bidirectional_attention is not supported")
    if float(raw.get("partial_rotary_factor") or 1.0) != 1.0:
        raise ModelUnsupported("partial_rotary_factor other than 1 is not supported")
    if int(raw.get("pretraining_tp") or 1) != 1:
        raise ModelUnsupported("pretraining_tp other than 1 is not supported")
    if raw.get("num_experts") or raw.get("num_local_experts"):
        raise ModelUnsupported("mixture-of-experts models are not supported")


def config_json(config: ModelConfig, dtype: str = "float32") -> dict[str, Any]:
    """``config.json`` for transformers (4.5x and 5) and for read_config; the inverse of parse_config."""
    raw: dict[str, Any] = {
        "architectures": [ARCHITECTURES[config.family]],
        "model_type": config.family,
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "max_position_embeddings": config.max_positions,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "tie_word_embeddings": config.tied,
        "hidden_act": "silu",
        "attention_bias": config.o_bias,
        "mlp_bias": config.mlp_bias,
        "bos_token_id": config.bos_id,
        "eos_token_id": list(config.eos_ids) or None,
        "pad_token_id": config.pad_id,
        "torch_dtype": dtype,
    }
    if config.rope.kind != "default":
        rope = {key: value for key, value in vars(config.rope).items() if key != "kind" and value is not None}
        raw["rope_scaling"] = {"rope_type": config.rope.kind} | rope
    windows = [window for window in config.windows if window is not None]
    if windows:
        raw["use_sliding_window"] = True
        raw["sliding_window"] = windows[0]
        raw["layer_types"] = ["full_attention" if w is None else "sliding_attention" for w in config.windows]
    if config.family == "mistral":
        raw["sliding_window"] = config.windows[0]
    if config.family == "gemma3_text":
        raw["hidden_activation"] = "gelu_pytorch_tanh"
        del raw["hidden_act"]
        raw["query_pre_attn_scalar"] = round(config.head_dim * config.query_scale**-2)
        raw["rope_local_base_freq"] = config.local_theta
    if config.family == "smollm3":
        raw["no_rope_layers"] = [int(flag) for flag in config.rotary]
    return raw
