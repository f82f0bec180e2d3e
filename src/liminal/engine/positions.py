"""How each layer of a decoder takes positions, from ``config.json``: rotary bases, windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from liminal.engine.errors import ModelInvalid, ModelUnsupported


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
    scaling: Mapping[str, Any] = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    scaling = scaling.get("full_attention", scaling)
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


def local_theta(raw: Mapping[str, Any]) -> float:
    """The rotary base of layers with a window (Gemma 3)."""
    parameters = (raw.get("rope_parameters") or {}).get("sliding_attention", {})
    return float(parameters.get("rope_theta") or raw.get("rope_local_base_freq") or 10000.0)


def read_windows(raw: Mapping[str, Any], family: str, layers: int) -> tuple[int | None, ...]:
    """Each layer's window in tokens, or None where it sees all."""
    window = raw.get("sliding_window")
    if family == "mistral":
        return (None if window is None else int(window),) * layers
    if family == "gemma3_text":
        return _gemma_windows(raw, layers)
    if family == "llama" or not raw.get("use_sliding_window") or window is None:
        return (None,) * layers
    types = raw.get("layer_types")
    if types is None:
        # transformers: layers from max_window_layers on slide; SmolLM3 slides where rotary is off
        first = int(raw.get("max_window_layers", 28))
        types = ["sliding_attention" if index >= first else "full_attention" for index in range(layers)]
        if family == "smollm3":
            rotary = rotary_layers(raw, family, layers)
            types = ["full_attention" if on else "sliding_attention" for on in rotary]
    if len(types) != layers:
        raise ModelInvalid(f"config.json: layer_types names {len(types)} layers of {layers}")
    unknown = set(types) - {"sliding_attention", "full_attention"}
    if unknown:
        raise ModelUnsupported(f"layer_types {sorted(unknown)} are not supported")
    return tuple(int(window) if kind == "sliding_attention" else None for kind in types)


def _gemma_windows(raw: Mapping[str, Any], layers: int) -> tuple[int | None, ...]:
    """Every sixth layer sees all, by default."""
    window, pattern = int(raw.get("sliding_window") or 4096), int(raw.get("sliding_window_pattern") or 6)
    types = raw.get("layer_types") or [
        "full_attention" if (index + 1) % pattern == 0 else "sliding_attention" for index in range(layers)
    ]
    if len(types) != layers:
        raise ModelInvalid(f"config.json: layer_types names {len(types)} layers of {layers}")
    return tuple(window if kind == "sliding_attention" else None for kind in types)


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
