"""How each layer of a decoder takes positions, from ``config.json``: rotary bases, windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from liminal.engine.errors import ModelInvalid, ModelUnsupported

USUAL_WINDOW = 4096
"""Mistral's and Gemma's where none is named (transformers)."""


@dataclass(frozen=True)
class RopeScaling:
    """How rotary frequencies are stretched; field names are those of transformers' ``rope_scaling``.

    kind: ``default``, ``linear``, ``llama3`` or ``yarn`` (Peng et al. 2023, arXiv:2309.00071).
    """

    kind: Literal["default", "linear", "llama3", "yarn"] = "default"
    factor: float = 1.0
    original_max_position_embeddings: int = 0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    attention_factor: float | None = None
    mscale: float | None = None
    mscale_all_dim: float | None = None
    truncate: bool = True


def read_rope(raw: Mapping[str, Any], max_positions: int) -> tuple[float, RopeScaling]:
    """(rotary base, how its frequencies are stretched) of config.json."""
    # transformers 5 moved rope_theta and rope_scaling into rope_parameters
    scaling: Mapping[str, Any] = _object(raw, "rope_parameters") or _object(raw, "rope_scaling")
    scaling = _object(scaling, "full_attention") or scaling
    usual = 1e6 if raw.get("model_type") == "gemma3_text" else 1e4
    theta = float(scaling.get("rope_theta") or raw.get("rope_theta") or usual)
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    if kind == "default":
        return theta, RopeScaling()
    if kind not in ("linear", "llama3", "yarn"):
        raise ModelUnsupported(
            f"rope scaling {kind!r} is not supported; default, linear, llama3 and yarn are"
        )
    original = scaling.get("original_max_position_embeddings") or max_positions

    def number(name: str, default: float | None = None) -> float | None:
        value = scaling.get(name)
        return default if value is None else float(value)

    factor = number("factor")
    if factor is None or factor < 1.0:
        raise ModelInvalid(f"config.json: rope scaling {kind!r} needs a factor of at least 1, not {factor!r}")
    return theta, RopeScaling(
        kind=kind,
        factor=factor,
        original_max_position_embeddings=int(original),
        low_freq_factor=number("low_freq_factor", 1.0) or 1.0,
        high_freq_factor=number("high_freq_factor", 4.0) or 4.0,
        beta_fast=number("beta_fast", 32.0) or 32.0,
        beta_slow=number("beta_slow", 1.0) or 1.0,
        attention_factor=number("attention_factor"),
        mscale=number("mscale"),
        mscale_all_dim=number("mscale_all_dim"),
        truncate=bool(scaling.get("truncate", True)),
    )


def _object(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = raw.get(name) or {}
    if not isinstance(value, Mapping):
        raise ModelInvalid(f"config.json: {name} must be an object, not {value!r}")
    return cast("Mapping[str, Any]", value)


def local_theta(raw: Mapping[str, Any]) -> float:
    """The rotary base of layers with a window (Gemma 3)."""
    parameters = _object(_object(raw, "rope_parameters"), "sliding_attention")
    if parameters.get("rope_type", "default") != "default":
        raise ModelUnsupported("rope scaling of layers with a window is not supported")
    return float(parameters.get("rope_theta") or raw.get("rope_local_base_freq") or 10000.0)


def read_windows(raw: Mapping[str, Any], family: str, layers: int) -> tuple[int | None, ...]:
    """Each layer's window in tokens, or None where it sees all."""
    windowed = family in ("mistral", "gemma3_text")
    window = raw.get("sliding_window", USUAL_WINDOW if windowed else None)
    if family == "llama" or window is None or not (windowed or raw.get("use_sliding_window")):
        return (None,) * layers
    if not isinstance(window, int) or window < 1:
        raise ModelInvalid(f"config.json: sliding_window must be a positive integer, not {window!r}")
    types = raw.get("layer_types") or _usual_types(raw, family, layers)
    if len(types) != layers:
        raise ModelInvalid(f"config.json: layer_types names {len(types)} layers of {layers}")
    unknown = set(types) - {"sliding_attention", "full_attention"}
    if unknown:
        raise ModelUnsupported(f"layer_types {sorted(unknown)} are not supported")
    return tuple(window if kind == "sliding_attention" else None for kind in types)


def _usual_types(raw: Mapping[str, Any], family: str, layers: int) -> list[str]:
    """As transformers fills in layer_types."""
    if family == "mistral":
        slides = [True] * layers
    elif family == "gemma3_text":
        pattern = max(1, int(raw.get("sliding_window_pattern") or 6))
        slides = [(index + 1) % pattern != 0 for index in range(layers)]
    elif family == "smollm3":
        slides = [not on for on in rotary_layers(raw, family, layers)]
    else:
        first = int(raw.get("max_window_layers", 28))
        slides = [index >= first for index in range(layers)]
    return ["sliding_attention" if slide else "full_attention" for slide in slides]


def rotary_layers(raw: Mapping[str, Any], family: str, layers: int) -> tuple[bool, ...]:
    """Whether each layer rotates."""
    if family != "smollm3":
        return (True,) * layers
    flags = raw.get("no_rope_layers")
    if not flags:
        interval = int(raw.get("no_rope_layer_interval", 4))
        flags = [int((index + 1) % interval != 0) for index in range(layers)]
    if len(flags) != layers:
        raise ModelInvalid(f"config.json: no_rope_layers names {len(flags)} layers of {layers}")
    return tuple(bool(flag) for flag in flags)
