"""Safetensors in and out of Hugging Face model folders.

Every tensor's name, shape and type is checked against the configuration from the headers alone,
before the first byte of weights is read.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from liminal.engine.blocks import BLOCK, pack_floats, pack_rows, packed_size
from liminal.engine.config import ModelConfig, config_json, read_json
from liminal.engine.errors import ModelInvalid, ModelNotFound, ModelUnsupported
from liminal.engine.params import TARGETS, Layer, Linear, Params

Array = NDArray[Any]

FLOAT_TYPES: Mapping[str, Any] = {"F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16}
"""Safetensors type names that can be loaded."""

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"


@dataclass(frozen=True)
class Stored:
    """Where a tensor is: the file and what its header says."""

    file: Path
    shape: tuple[int, ...]
    dtype: str


def expected_tensors(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor that a checkpoint of this configuration must hold, by Hugging Face name."""
    hidden = config.hidden_size
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (config.vocab_size, hidden)}
    biased = {
        "self_attn.q_proj": config.qkv_bias,
        "self_attn.k_proj": config.qkv_bias,
        "self_attn.v_proj": config.qkv_bias,
        "self_attn.o_proj": config.o_bias,
    }
    for index in range(config.layers):
        prefix = f"model.layers.{index}."
        for target, (out, inner) in config.linear_shapes().items():
            name = module_path(target)
            shapes[f"{prefix}{name}.weight"] = (out, inner)
            if biased.get(name, config.mlp_bias):
                shapes[f"{prefix}{name}.bias"] = (out,)
        for name in config.norms.values():
            shapes[f"{prefix}{name}.weight"] = (hidden,)
        if config.qk_norm:
            shapes[f"{prefix}self_attn.q_norm.weight"] = (config.head_dim,)
            shapes[f"{prefix}self_attn.k_norm.weight"] = (config.head_dim,)
    shapes["model.norm.weight"] = (hidden,)
    if not config.tied:
        shapes["lm_head.weight"] = (config.vocab_size, hidden)
    return shapes


def module_path(target: str) -> str:
    """Where a LoRA target sits in a Hugging Face layer: ``q_proj`` → ``self_attn.q_proj``."""
    return f"mlp.{target}" if target in ("gate_proj", "up_proj", "down_proj") else f"self_attn.{target}"


def stored_tensors(folder: Path) -> dict[str, Stored]:
    """Every tensor of a single or sharded checkpoint, from the headers.

    Raises ModelNotFound without safetensors, ModelInvalid for truncated or hostile files.
    """
    if (folder / SINGLE).is_file():
        files = [SINGLE]
    elif (folder / INDEX).is_file():
        files = _shards(folder)
    elif any(folder.glob("*.bin")) or any(folder.glob("*.pth")):
        raise ModelUnsupported(
            f"{folder.name} holds pickled weights only, which can run code; convert to safetensors"
        )
    else:
        raise ModelNotFound(f"no {SINGLE} in {folder}", path=str(folder))
    found: dict[str, Stored] = {}
    for name in files:
        for key, stored in _header(folder / name):
            if key in found:
                raise ModelInvalid(f"tensor {key} is stored twice, in {found[key].file.name} and {name}")
            found[key] = stored
    return found


def _shards(folder: Path) -> list[str]:
    weight_map = read_json(folder / INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelInvalid(f"{INDEX} has no weight_map")
    names = sorted({str(name) for name in cast("dict[str, Any]", weight_map).values()})
    for name in names:
        if name != Path(name).name or not name.endswith(".safetensors"):
            raise ModelInvalid(f"{INDEX} names {name!r}, which is not a safetensors file of this folder")
        if not (folder / name).is_file():
            raise ModelNotFound(f"shard {name} is missing from {folder}")
    return names


def _header(file: Path) -> Iterator[tuple[str, Stored]]:
    try:
        with safe_open(file, framework="numpy") as handle:
            for key in handle.keys():  # noqa: SIM118 (handles do not iterate)
                view = handle.get_slice(key)
                yield key, Stored(file, tuple(view.get_shape()), str(view.get_dtype()))
    except (SafetensorError, OSError) as error:
        raise ModelInvalid(f"{file.name} is not a whole safetensors file: {error}", path=str(file)) from error


def check_tensors(config: ModelConfig, found: Mapping[str, Stored]) -> None:
    """Raise ModelInvalid or ModelUnsupported unless the stored tensors are exactly the expected ones."""
    expected = expected_tensors(config)
    for name, shape in expected.items():
        stored = found.get(name)
        if stored is None:
            raise ModelInvalid(f"tensor {name} is missing")
        if stored.shape != shape:
            raise ModelInvalid(
                f"tensor {name} has shape {list(stored.shape)}; config.json says {list(shape)}"
            )
        if stored.dtype not in FLOAT_TYPES:
            raise ModelUnsupported(
                f"tensor {name} is {stored.dtype}; only {', '.join(FLOAT_TYPES)} are supported"
            )
    extra = [name for name in found if name not in expected and not _harmless(name, config)]
    if extra:
        raise ModelUnsupported(
            f"unknown tensors, such as {extra[0]}: the model has parts this engine does not compute"
        )


def _harmless(name: str, config: ModelConfig) -> bool:
    return name.endswith("rotary_emb.inv_freq") or (config.tied and name == "lm_head.weight")


def load_params(
    folder: str | Path, config: ModelConfig, dtype: Any = jnp.float32, packed: bool = False
) -> Params:
    """The parameters of a Hugging Face folder in ``dtype`` (f32, bf16, f16), or with matrices in blocks.

    Raises ModelNotFound, ModelInvalid or ModelUnsupported before memory is spent.
    """
    found = stored_tensors(Path(folder))
    check_tensors(config, found)
    handles: dict[Path, Any] = {}

    def tensor(name: str) -> jax.Array:
        stored = found[name]
        if stored.file not in handles:
            handles[stored.file] = safe_open(stored.file, framework="numpy")
        try:
            value = jnp.asarray(handles[stored.file].get_tensor(name), dtype)
            return value + 1 if adds_one(config, name) else value
        except (SafetensorError, OSError) as error:
            raise ModelInvalid(f"tensor {name} cannot be read: {error}") from error

    def matrix(name: str) -> Linear:
        return packed_linear(None, lambda: np.asarray(tensor(name), np.float32))

    return build_params(config, tensor, found, matrix if packed else None)


def adds_one(config: ModelConfig, name: str) -> bool:
    """Whether a folder stores a tensor less one: Gemma's norms multiply by 1 + w."""
    return config.family == "gemma3_text" and name.endswith("norm.weight")


def packed_bytes(config: ModelConfig, kinds: Mapping[str, str]) -> int:
    """Of the parameters that packed_linear and f32 make; ``kinds``: GGML's names of what is in blocks."""
    found = 0
    for name, shape in expected_tensors(config).items():
        if len(shape) == 1 or shape[1] % BLOCK:
            found += 4 * math.prod(shape)
        else:
            found += packed_size(kinds.get(name, ""), shape)
    return found


def packed_linear(
    stored: tuple[str, NDArray[np.uint8]] | None, wide: Callable[[], NDArray[np.float32]]
) -> Linear:
    """A matrix in blocks (``liminal.engine.blocks``): the file's own, or rounded to 8 bits from ``wide``.

    stored: GGML's name of the blocks and the bytes of each row.
    """
    found = None if stored is None else pack_rows(*stored)
    if found is None:
        matrix = wide()
        if matrix.shape[1] % BLOCK:
            return Linear(jnp.asarray(matrix))
        found = pack_floats(matrix)
    packed, form = found
    return Linear(jnp.asarray(packed), form=form)


def build_params(
    config: ModelConfig,
    tensor: Any,
    names: Mapping[str, Any],
    matrix: Callable[[str], Linear] | None = None,
) -> Params:
    """Assemble the tree from ``tensor(hugging_face_name) -> array``; ``names`` says which exist.

    matrix: gives a linear's weight by name, in the form that it is to have; by default the tensor itself.
    """

    def linear(prefix: str) -> Linear:
        bias, name = f"{prefix}.bias", f"{prefix}.weight"
        weight = Linear(tensor(name)) if matrix is None else matrix(name)
        return dataclasses.replace(weight, bias=tensor(bias) if bias in names else None)

    def layer(index: int) -> Layer:
        prefix = f"model.layers.{index}."
        parts: dict[str, Any] = {
            field: tensor(f"{prefix}{name}.weight") for field, name in config.norms.items()
        }
        for name in ("q_norm", "k_norm"):
            parts[name] = tensor(f"{prefix}self_attn.{name}.weight") if config.qk_norm else None
        parts |= {target: linear(prefix + module_path(target)) for target in TARGETS}
        return Layer(**parts)

    layers = tuple(layer(index) for index in range(config.layers))
    head = None if config.tied else linear("lm_head")
    return Params(linear("model.embed_tokens"), layers, tensor("model.norm.weight"), head, config.embed_scale)


def named_tensors(config: ModelConfig, params: Params) -> dict[str, jax.Array]:
    """The float parameters by Hugging Face name; the inverse of build_params."""
    named: dict[str, jax.Array] = {
        "model.embed_tokens.weight": params.embed.weight,
        "model.norm.weight": params.norm,
    }
    for index, layer in enumerate(params.layers):
        prefix = f"model.layers.{index}."
        for field, name in config.norms.items():
            named[f"{prefix}{name}.weight"] = getattr(layer, field)
        if layer.q_norm is not None and layer.k_norm is not None:
            named[f"{prefix}self_attn.q_norm.weight"] = layer.q_norm
            named[f"{prefix}self_attn.k_norm.weight"] = layer.k_norm
        for target in TARGETS:
            part: Linear = getattr(layer, target)
            named[f"{prefix}{module_path(target)}.weight"] = part.weight
            if part.bias is not None:
                named[f"{prefix}{module_path(target)}.bias"] = part.bias
    if params.head is not None:
        named["lm_head.weight"] = params.head.weight
    return {name: named[name] for name in expected_tensors(config)}


def save_model(
    folder: str | Path,
    config: ModelConfig,
    params: Params,
    dtype: Any = jnp.float32,
    shard_bytes: int = 5 << 30,
) -> None:
    """Write config.json and safetensors that transformers and load_params read back.

    Sharded with an index when the weights exceed ``shard_bytes``. Raises ModelUnsupported for
    rounded parameters: they are a way of computing, not of storing.
    """
    if params.embed.scale is not None or params.embed.form is not None:
        raise ModelUnsupported("rounded parameters are not saved; save the float ones they came from")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    kind = np.dtype(dtype)
    named = {
        name: np.asarray(value - 1 if adds_one(config, name) else value).astype(kind)
        for name, value in named_tensors(config, params).items()
    }
    shards: list[dict[str, Array]] = [{}]
    for name, value in named.items():
        if shards[-1] and sum(item.nbytes for item in shards[-1].values()) + value.nbytes > shard_bytes:
            shards.append({})
        shards[-1][name] = value
    if len(shards) == 1:
        save_file(shards[0], target / SINGLE, metadata={"format": "pt"})
    else:
        weight_map: dict[str, str] = {}
        for number, shard in enumerate(shards, 1):
            file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
            save_file(shard, target / file, metadata={"format": "pt"})
            weight_map |= dict.fromkeys(shard, file)
        index = {"metadata": {"total_size": sum(v.nbytes for v in named.values())}, "weight_map": weight_map}
        (target / INDEX).write_text(json.dumps(index, indent=1))
    (target / "config.json").write_text(json.dumps(config_json(config, kind.name), indent=1) + "\n")
