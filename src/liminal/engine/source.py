"""A model as it lies on disk: a Hugging Face folder or a GGUF file, behind one set of questions."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import jax.numpy as jnp
import numpy as np

from liminal.engine.config import ModelConfig, model_name, read_config, read_json
from liminal.engine.errors import ModelInvalid, ModelNotFound
from liminal.engine.gguf.config import end_tokens, read_gguf_config
from liminal.engine.gguf.header import Header, is_gguf, read_header
from liminal.engine.gguf.tensors import FLOATS, GgufTensors, StoredBlocks
from liminal.engine.gguf.tokenizer import read_tokenizer
from liminal.engine.params import Linear, Params
from liminal.engine.request import NEUTRAL, Sampling
from liminal.engine.tokenizer import Tokenizer
from liminal.engine.weights import (
    Stored,
    build_params,
    check_tensors,
    load_params,
    packed_bytes,
    packed_linear,
    stored_tensors,
)

GENERATION = "generation_config.json"
SAMPLED = 4096
"""Bytes of each tensor, at its beginning and in its middle, that go into a folder's identity."""


class ModelFiles(Protocol):
    """What an engine or a trainer asks of a model's files. No weights are loaded before ``params``."""

    path: Path
    name: str
    config: ModelConfig

    @property
    def identity(self) -> str:
        """sha256 that tells one base from another, the same in every number format and place."""
        ...

    @property
    def numbers(self) -> str:
        """The format that most of its weights are stored in (``BF16``, ``Q4_1``)."""
        ...

    def tokenizer(self) -> Tokenizer:
        """The tokenizer with its chat template. Raises ModelInvalid, ModelUnsupported."""
        ...

    def params(self, dtype: Any = jnp.float32) -> Params:
        """The parameters in floats. Raises ModelInvalid, ModelUnsupported."""
        ...

    @property
    def quantised(self) -> bool:
        """Whether there are matrices in blocks."""
        ...

    @property
    def packed_bytes(self) -> int:
        """What ``packed`` takes."""
        ...

    def packed(self) -> Params:
        """The parameters with matrices in blocks of 4 or 8 bits, read one by one. Raises as params."""
        ...

    def blocks(self, name: str) -> StoredBlocks | None:
        """A matrix, by Hugging Face's name, as quantised blocks; None where the file has floats."""
        ...

    def generation(self, tokenizer: Tokenizer) -> tuple[Sampling, tuple[int, ...]]:
        """(sampling that completes a request's, tokens that end an answer)."""
        ...


def open_model(path: str | Path) -> ModelFiles:
    """A folder in Hugging Face's form or a GGUF file, whatever that is called.

    Raises ModelNotFound, ModelUnsupported or ModelInvalid.
    """
    place = Path(path)
    if place.is_file():
        if not is_gguf(place):
            raise ModelInvalid(f"{place.name} is neither a folder nor a GGUF file", path=str(place))
        return GgufFile(place)
    if not place.is_dir():
        raise ModelNotFound(f"there is no model at {place}", path=str(place))
    return ModelFolder(place)


class ModelFolder:
    """config.json, safetensors, tokenizer.json."""

    def __init__(self, path: Path) -> None:
        """Raises as read_config does."""
        self.path, self.name, self.config = path, model_name(path), read_config(path)

    @property
    def identity(self) -> str:
        """Over config.json and what every tensor is called, its shape, its numbers and samples of them."""
        stored = stored_tensors(self.path)
        check_tensors(self.config, stored)
        digest = hashlib.sha256((self.path / "config.json").read_bytes())
        for name in sorted(stored):
            digest.update(f"{name}{stored[name].dtype}{stored[name].shape}".encode())
            digest.update(_sample(stored[name], name))
        return digest.hexdigest()

    @property
    def numbers(self) -> str:
        """Of the safetensors."""
        return _commonest((item.dtype, math.prod(item.shape)) for item in stored_tensors(self.path).values())

    def tokenizer(self) -> Tokenizer:
        """From tokenizer.json and its neighbours."""
        return Tokenizer.load(self.path)

    def params(self, dtype: Any = jnp.float32) -> Params:
        """From the safetensors."""
        return load_params(self.path, self.config, dtype)

    @property
    def quantised(self) -> bool:
        """No: folders have floats."""
        return False

    @property
    def packed_bytes(self) -> int:
        """In 8 bits."""
        return packed_bytes(self.config, {})

    def packed(self) -> Params:
        """Rounded to 8 bits."""
        return load_params(self.path, self.config, jnp.float32, packed=True)

    def blocks(self, name: str) -> StoredBlocks | None:
        """None: folders have floats."""
        return None

    def generation(self, tokenizer: Tokenizer) -> tuple[Sampling, tuple[int, ...]]:
        """From generation_config.json, config.json and the tokenizer."""
        return _generation(self.path, self.config.eos_ids, tokenizer)


class GgufFile:
    """One file with everything; sampling defaults may lie beside it in generation_config.json."""

    def __init__(self, path: Path) -> None:
        """Raises ModelUnsupported, ModelInvalid."""
        self.path, self.name = path, path.stem
        self.header: Header = read_header(path)
        self.config = read_gguf_config(self.header)
        self._tensors = GgufTensors(self.header, self.config)

    @property
    def identity(self) -> str:
        """Over the header and samples of every tensor."""
        return self.header.digest

    @property
    def numbers(self) -> str:
        """Of the file's tensors."""
        return _commonest((item.kind, math.prod(item.shape)) for item in self.header.tensors.values())

    def tokenizer(self) -> Tokenizer:
        """From the metadata."""
        return read_tokenizer(self.header)

    def params(self, dtype: Any = jnp.float32) -> Params:
        """Dequantised."""

        def tensor(name: str) -> Any:
            return jnp.asarray(self._tensors.wide(name), dtype)

        return build_params(self.config, tensor, self._tensors.names)

    @property
    def quantised(self) -> bool:
        """Whether any tensor is in blocks."""
        return any(tensor.kind not in FLOATS for tensor in self._tensors.names.values())

    @property
    def packed_bytes(self) -> int:
        """From the header."""
        kinds = {name: tensor.kind for name, tensor in self._tensors.names.items()}
        return packed_bytes(self.config, kinds)

    def packed(self) -> Params:
        """The file's own blocks, or 8 bits where kernels have no such blocks."""

        def tensor(name: str) -> Any:
            return jnp.asarray(self._tensors.wide(name), jnp.float32)

        def matrix(name: str) -> Linear:
            stored = self._tensors.blocks(name)
            return packed_linear(
                None if stored is None else (stored.kind, stored.rows), lambda: self._tensors.wide(name)
            )

        return build_params(self.config, tensor, self._tensors.names, matrix)

    def blocks(self, name: str) -> StoredBlocks | None:
        """As the file has them."""
        return self._tensors.blocks(name)

    def generation(self, tokenizer: Tokenizer) -> tuple[Sampling, tuple[int, ...]]:
        """From the metadata and generation_config.json beside the file."""
        return _generation(self.path.parent, tuple(end_tokens(self.header)), tokenizer)


def _commonest(tensors: Iterable[tuple[str, int]]) -> str:
    counts: Counter[str] = Counter()
    for kind, size in tensors:
        counts[kind] += size
    return counts.most_common(1)[0][0]


def _sample(stored: Stored, name: str) -> bytes:
    from safetensors import safe_open

    with safe_open(stored.file, framework="numpy") as handle:
        view = handle.get_slice(name)
        rows = stored.shape[0] if stored.shape else 1
        if not stored.shape:
            return np.asarray(handle.get_tensor(name)).tobytes()
        return b"".join(
            np.asarray(view[row : row + 1]).view(np.uint8).tobytes()[:SAMPLED] for row in {0, rows // 2}
        )


def _generation(
    folder: Path, ends: tuple[int, ...], tokenizer: Tokenizer
) -> tuple[Sampling, tuple[int, ...]]:
    file = folder / GENERATION
    raw: Mapping[str, Any] = read_json(file) if file.is_file() else {}
    found = set(ends)
    listed = raw.get("eos_token_id")
    found.update(listed if isinstance(listed, list) else [] if listed is None else [listed])
    eos = tokenizer.special.get("eos_token")
    if eos is not None and (token := tokenizer.token_id(eos)) is not None:
        found.add(token)
    names = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
    values = {name: raw[name] for name in names if isinstance(raw.get(name), (int, float))}
    if raw.get("do_sample") is False:
        values["temperature"] = 0.0
    return Sampling(**values).over(NEUTRAL), tuple(sorted(found))
