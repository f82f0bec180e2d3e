"""LoRA adapters as PEFT stores them, in and out, bit for bit.

Layout: ``adapter_config.json`` beside ``adapter_model.safetensors`` whose keys are
``base_model.model.model.layers.{i}.self_attn.q_proj.lora_A.weight`` [r, in] and ``lora_B`` [out, r].
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from liminal.engine.config import ModelConfig, read_json
from liminal.engine.errors import AdapterInvalid, AdapterNotFound, AdapterUnsupported, EngineError
from liminal.engine.params import TARGETS, Lora, LoraPair
from liminal.engine.weights import FLOAT_TYPES, module_path

Array = NDArray[Any]
Key = tuple[int, str]
"""(layer index, target name)."""

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"

_KEY = re.compile(
    r"base_model\.model\.model\.layers\.(\d+)\.(?:self_attn|mlp)\.(\w+)\.lora_(A|B)(?:\.default)?\.weight"
)


@dataclass(frozen=True)
class Adapter:
    """One adapter in host memory, exactly as stored.

    Attributes:
      rank, alpha: LoRA's r and α; a linear's output grows by α/r · B·A·x (α/√r with ``rslora``).
      tensors: (layer, target) → (A [r, in], B [out, r]) in the type of the file.
      ranks, alphas: PEFT's rank_pattern and alpha_pattern.
      extra: the other fields of adapter_config.json, written back as they came.
    """

    rank: int
    alpha: float
    tensors: Mapping[Key, tuple[Array, Array]]
    rslora: bool = False
    ranks: Mapping[str, int] = field(default_factory=dict[str, int])
    alphas: Mapping[str, float] = field(default_factory=dict[str, float])
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @cached_property
    def content_hash(self) -> str:
        """sha256 over everything that changes an answer: tensors, types, shapes, scalings."""
        keys = sorted(self.tensors)
        with ThreadPoolExecutor(4) as pool:
            digests = list(pool.map(_digest, (half for key in keys for half in self.tensors[key])))
        whole = hashlib.sha256(repr([(key, self.scaling(key)) for key in keys]).encode())
        for digest in digests:
            whole.update(digest)
        return whole.hexdigest()

    @property
    def rows(self) -> int:
        """Rank rows that the adapter takes in a bank: its largest rank."""
        return max(a.shape[0] for a, _ in self.tensors.values())

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors in host memory."""
        return sum(a.nbytes + b.nbytes for a, b in self.tensors.values())

    def scaling(self, key: Key) -> float:
        """What multiplies B·A·x for one linear."""
        layer, target = key
        name = f"model.layers.{layer}.{module_path(target)}"
        alpha = _by_pattern(self.alphas, name, self.alpha)
        rank = self.tensors[key][0].shape[0]
        return alpha / math.sqrt(rank) if self.rslora else alpha / rank

    def lora(self, config: ModelConfig, rows: int | None = None, dtype: Any = jnp.float32) -> Lora:
        """The rank rows with the scaling folded into b, zero-padded to ``rows`` and to every target."""
        count = self.rows if rows is None else rows
        return tuple(
            {
                target: LoraPair(
                    *(jnp.asarray(part, dtype) for part in self.pair((layer, target), config, count))
                )
                for target in TARGETS
            }
            for layer in range(config.layers)
        )

    def pair(self, key: Key, config: ModelConfig, rows: int) -> tuple[Array, Array]:
        """(a [rows, in], b [rows, out]) in f32 of one linear, scaled and zero-padded."""
        out, inner = config.linear_shapes()[key[1]]
        a, b = np.zeros((rows, inner), np.float32), np.zeros((rows, out), np.float32)
        if key in self.tensors:
            down, up = self.tensors[key]
            a[: down.shape[0]] = down
            b[: up.shape[1]] = up.astype(np.float32).T * np.float32(self.scaling(key))
        return a, b


def _digest(tensor: Array) -> bytes:
    digest = hashlib.sha256(f"{tensor.dtype}{tensor.shape}".encode())
    digest.update(np.ascontiguousarray(tensor).reshape(-1).view(np.uint8).data)
    return digest.digest()


def _by_pattern(patterns: Mapping[str, Any], name: str, default: Any) -> Any:
    # PEFT matches a pattern as a regular expression against the end of the module's name
    for pattern, value in patterns.items():
        if re.match(rf"(.*\.)?({pattern})$", name):
            return value
    return default


def adapter_from_lora(lora: Lora, alpha: float, extra: Mapping[str, Any] | None = None) -> Adapter:
    """An Adapter from trained rank rows of one adapter, b not yet scaled (init_lora's convention)."""
    tensors = {
        (layer, target): (np.asarray(pair.a), np.ascontiguousarray(np.asarray(pair.b).T))
        for layer, pairs in enumerate(lora)
        for target, pair in pairs.items()
    }
    if not tensors:
        raise AdapterInvalid("the adapter has no tensors")
    rank = next(iter(tensors.values()))[0].shape[0]
    return Adapter(rank=rank, alpha=alpha, tensors=tensors, extra=extra or {})


def load_adapter(folder: str | Path, config: ModelConfig) -> Adapter:
    """A PEFT folder, checked against the base model's shapes.

    Raises AdapterNotFound, AdapterUnsupported (by name: DoRA, modules_to_save, bias, …) or
    AdapterInvalid (truncated, mis-shaped, not finite).
    """
    path = Path(folder)
    if not (path / WEIGHTS_FILE).is_file():
        raise AdapterNotFound(f"no {WEIGHTS_FILE} in {path}", path=str(path))
    try:
        raw = read_json(path / CONFIG_FILE)
    except EngineError as error:
        raise AdapterInvalid(error.message, path=str(path)) from error
    refuse_unsupported(raw)
    adapter = Adapter(
        rank=int(_positive(raw, "r")),
        alpha=float(_positive(raw, "lora_alpha")),
        tensors=_read_tensors(path / WEIGHTS_FILE),
        rslora=bool(raw.get("use_rslora")),
        ranks=cast("dict[str, int]", raw.get("rank_pattern") or {}),
        alphas=cast("dict[str, float]", raw.get("alpha_pattern") or {}),
        extra=raw,
    )
    check_adapter(adapter, config)
    return adapter


def _positive(raw: Mapping[str, Any], name: str) -> float:
    value = raw.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < 1 << 20:
        raise AdapterInvalid(f"{CONFIG_FILE}: {name} must be a positive number, not {value!r}")
    return value


def refuse_unsupported(raw: Mapping[str, Any]) -> None:
    """Raise AdapterUnsupported for what a bank of rank rows cannot compute."""
    if raw.get("peft_type") != "LORA":
        raise AdapterUnsupported(f"peft_type {raw.get('peft_type')!r} is not supported; only LORA is")
    for flag, name in (
        ("use_dora", "DoRA"),
        ("modules_to_save", "modules_to_save"),
        ("trainable_token_indices", "trainable_token_indices"),
        ("lora_bias", "lora_bias"),
        ("fan_in_fan_out", "fan_in_fan_out"),
        ("target_parameters", "target_parameters"),
        ("use_qalora", "QALoRA"),
    ):
        if raw.get(flag):
            raise AdapterUnsupported(
                f"{name} is not supported: it is not a sum of low-rank rows", feature=flag
            )
    if raw.get("bias", "none") != "none":
        raise AdapterUnsupported(f"bias={raw['bias']!r} is not supported; train the adapter with bias='none'")


def _read_tensors(file: Path) -> dict[Key, tuple[Array, Array]]:
    halves: dict[Key, dict[str, Array]] = {}
    try:
        with safe_open(file, framework="numpy") as handle:
            for name in handle.keys():  # noqa: SIM118 (handles do not iterate)
                match = _KEY.fullmatch(name)
                if match is None or match[2] not in TARGETS:
                    raise AdapterUnsupported(f"tensor {name} does not adapt one of {', '.join(TARGETS)}")
                if handle.get_slice(name).get_dtype() not in FLOAT_TYPES:
                    raise AdapterUnsupported(f"tensor {name} must be one of {', '.join(FLOAT_TYPES)}")
                halves.setdefault((int(match[1]), match[2]), {})[match[3]] = handle.get_tensor(name)
    except (SafetensorError, OSError) as error:
        raise AdapterInvalid(
            f"{file.name} is not a whole safetensors file: {error}", path=str(file)
        ) from error
    for (layer, target), half in halves.items():
        if set(half) != {"A", "B"}:
            raise AdapterInvalid(f"layer {layer} {target} has lora_{next(iter(half))} only")
    if not halves:
        raise AdapterInvalid(f"{file.name} holds no LoRA tensors")
    return {key: (half["A"], half["B"]) for key, half in halves.items()}


def check_adapter(adapter: Adapter, config: ModelConfig) -> None:
    """Raise AdapterInvalid unless every tensor fits the base model and is finite."""
    shapes = config.linear_shapes()
    for (layer, target), (a, b) in adapter.tensors.items():
        out, inner = shapes[target]
        where = f"layer {layer} {target}"
        if layer >= config.layers:
            raise AdapterInvalid(f"{where} is beyond the base model's {config.layers} layers")
        if a.ndim != 2 or b.ndim != 2 or a.shape[1] != inner or b.shape[0] != out or a.shape[0] != b.shape[1]:
            raise AdapterInvalid(
                f"{where}: A {list(a.shape)} and B {list(b.shape)} do not fit a linear of [{out}, {inner}]"
            )
        expected = _by_pattern(adapter.ranks, f"model.layers.{layer}.{module_path(target)}", adapter.rank)
        if a.shape[0] != expected:
            raise AdapterInvalid(f"{where} has rank {a.shape[0]}; {CONFIG_FILE} says {expected}")
        if not np.isfinite(np.abs(a).max() + np.abs(b).max() * np.float32(adapter.scaling((layer, target)))):
            raise AdapterInvalid(f"{where} holds values that are not finite")


def save_adapter(folder: str | Path, adapter: Adapter, base_model: str | None = None) -> None:
    """Write a folder that PEFT, vLLM, LoRAX and load_adapter read; loading it gives the same bytes."""
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Array] = {}
    for (layer, target), (a, b) in adapter.tensors.items():
        prefix = f"base_model.model.model.layers.{layer}.{module_path(target)}"
        tensors[f"{prefix}.lora_A.weight"], tensors[f"{prefix}.lora_B.weight"] = a, b
    save_file(tensors, path / WEIGHTS_FILE, metadata={"format": "pt"})
    defaults: dict[str, Any] = {"task_type": "CAUSAL_LM", "bias": "none", "inference_mode": True}
    raw: dict[str, Any] = {
        **defaults,
        "target_modules": sorted({target for _, target in adapter.tensors}),
        **adapter.extra,
        "peft_type": "LORA",
        "r": adapter.rank,
        "lora_alpha": int(adapter.alpha) if float(adapter.alpha).is_integer() else adapter.alpha,
        "use_rslora": adapter.rslora,
        "rank_pattern": dict(adapter.ranks),
        "alpha_pattern": dict(adapter.alphas),
    }
    if base_model is not None:
        raw["base_model_name_or_path"] = base_model
    (path / CONFIG_FILE).write_text(json.dumps(raw, indent=2, sort_keys=True) + "\n")
