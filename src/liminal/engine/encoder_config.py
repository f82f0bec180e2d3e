"""The shape of a BERT-class encoder and how its states become one vector, read from the folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import jax
import orjson

from liminal.engine.config import read_json
from liminal.engine.errors import ModelInvalid, ModelUnsupported

Pooling = Literal["cls", "max", "mean", "mean_sqrt_len_tokens"]


def _gelu(x: jax.Array) -> jax.Array:
    return jax.nn.gelu(x, approximate=False)


def _gelu_new(x: jax.Array) -> jax.Array:
    return jax.nn.gelu(x, approximate=True)


ACTIVATIONS: Mapping[str, Callable[[jax.Array], jax.Array]] = {
    "gelu": _gelu,
    "gelu_new": _gelu_new,
    "gelu_pytorch_tanh": _gelu_new,
    "relu": jax.nn.relu,
}


@dataclass(frozen=True)
class EncoderConfig:
    """All that the encoder needs to know.

    Attributes:
      position_offset: 0 for BERT; RoBERTa counts its positions from pad_id + 1.
      max_length: tokens that a text is cut to.
      prompts: named beginnings, such as E5's ``query: ``.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    positions: int
    token_types: int
    norm_eps: float
    activation: Callable[[jax.Array], jax.Array]
    pad_id: int
    position_offset: int
    max_length: int
    pooling: Pooling
    normalise: bool
    prompts: Mapping[str, str]

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every tensor."""
        hidden, inner = self.hidden_size, self.intermediate_size
        shapes: dict[str, tuple[int, ...]] = {
            "embeddings.word_embeddings.weight": (self.vocab_size, hidden),
            "embeddings.position_embeddings.weight": (self.positions, hidden),
            "embeddings.token_type_embeddings.weight": (self.token_types, hidden),
            "embeddings.LayerNorm.weight": (hidden,),
            "embeddings.LayerNorm.bias": (hidden,),
        }
        for index in range(self.layers):
            at = f"encoder.layer.{index}."
            for name in ("attention.self.query", "attention.self.key", "attention.self.value"):
                shapes |= {f"{at}{name}.weight": (hidden, hidden), f"{at}{name}.bias": (hidden,)}
            shapes |= {
                f"{at}attention.output.dense.weight": (hidden, hidden),
                f"{at}attention.output.dense.bias": (hidden,),
                f"{at}intermediate.dense.weight": (inner, hidden),
                f"{at}intermediate.dense.bias": (inner,),
                f"{at}output.dense.weight": (hidden, inner),
                f"{at}output.dense.bias": (hidden,),
            }
            for name in ("attention.output", "output"):
                shapes |= {f"{at}{name}.LayerNorm.weight": (hidden,), f"{at}{name}.LayerNorm.bias": (hidden,)}
        return shapes


def read_encoder_config(folder: Path) -> EncoderConfig:
    """The encoder in a folder. Raises ModelUnsupported by name, ModelInvalid for nonsense."""
    raw = read_json(folder / "config.json")
    kind = raw.get("model_type")
    if kind not in ("bert", "roberta", "xlm-roberta"):
        raise ModelUnsupported(
            f"model_type {kind!r} is not a supported encoder; bert, roberta and xlm-roberta are"
        )
    if raw.get("position_embedding_type", "absolute") != "absolute":
        raise ModelUnsupported(f"position_embedding_type {raw['position_embedding_type']!r} is not supported")
    activation = raw.get("hidden_act", "gelu")
    if activation not in ACTIVATIONS:
        raise ModelUnsupported(f"hidden_act {activation!r} is not supported; {', '.join(ACTIVATIONS)} are")

    def size(name: str) -> int:
        value = raw.get(name)
        if not isinstance(value, int) or not 0 < value <= 1 << 24:
            raise ModelInvalid(f"config.json: {name} must be a positive integer, not {value!r}")
        return value

    pad_id = int(raw.get("pad_token_id") or 0)
    offset = 0 if kind == "bert" else pad_id + 1
    pooling, normalise = _modules(folder)
    return EncoderConfig(
        vocab_size=size("vocab_size"),
        hidden_size=size("hidden_size"),
        intermediate_size=size("intermediate_size"),
        layers=size("num_hidden_layers"),
        heads=size("num_attention_heads"),
        positions=size("max_position_embeddings"),
        token_types=size("type_vocab_size"),
        norm_eps=float(raw.get("layer_norm_eps", 1e-12)),
        activation=ACTIVATIONS[activation],
        pad_id=pad_id,
        position_offset=offset,
        max_length=_max_length(folder, size("max_position_embeddings") - offset),
        pooling=pooling,
        normalise=normalise,
        prompts=_prompts(folder),
    )


def _modules(folder: Path) -> tuple[Pooling, bool]:
    """(pooling, whether vectors are normalised); a plain BERT folder is mean pooling, not normalised."""
    file = folder / "modules.json"
    if not file.is_file():
        return "mean", False
    try:
        modules = cast("list[dict[str, Any]]", orjson.loads(file.read_bytes()))
        kinds = {str(module["type"]).rsplit(".", 1)[-1]: str(module["path"]) for module in modules}
    except (ValueError, TypeError, KeyError) as error:
        raise ModelInvalid(f"modules.json cannot be read: {error}") from error
    unknown = kinds.keys() - {"Transformer", "Pooling", "Normalize"}
    if unknown:
        raise ModelUnsupported(f"modules.json names {', '.join(sorted(unknown))}, which is not supported")
    place = kinds.get("Pooling", "1_Pooling")
    if place != Path(place).name:
        raise ModelInvalid(f"modules.json names the folder {place!r}, which is not one of this model")
    return _pooling(read_json(folder / place / "config.json")), "Normalize" in kinds


def _pooling(raw: Mapping[str, Any]) -> Pooling:
    # sentence-transformers 6 writes one name, earlier versions one flag each
    names = [str(raw["pooling_mode"])] if "pooling_mode" in raw else []
    names = names or [name for name in raw if name.startswith("pooling_mode_") and raw[name]]
    if len(names) != 1:
        raise ModelUnsupported(f"pooling over {names} together is not supported")
    name = names[0].removeprefix("pooling_mode_")
    name = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max"}.get(name, name)
    if name not in get_args(Pooling):
        raise ModelUnsupported(f"pooling {name!r} is not supported; {', '.join(get_args(Pooling))} are")
    return cast("Pooling", name)


def _max_length(folder: Path, positions: int) -> int:
    for name, key in (
        ("sentence_bert_config.json", "max_seq_length"),
        ("tokenizer_config.json", "model_max_length"),
    ):
        if (folder / name).is_file():
            value = read_json(folder / name).get(key)
            if isinstance(value, int) and value > 2:
                return min(value, positions)
    return positions


def _prompts(folder: Path) -> dict[str, str]:
    file = folder / "config_sentence_transformers.json"
    prompts = read_json(file).get("prompts") if file.is_file() else None
    if not isinstance(prompts, dict):
        return {}
    return {str(name): str(text) for name, text in cast("dict[str, Any]", prompts).items()}
