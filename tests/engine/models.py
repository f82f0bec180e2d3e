"""A model small enough for every test: random weights, a tokenizer of bytes, a chat template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from liminal.engine.config import ModelConfig, small_config
from liminal.engine.params import TARGETS, Params, init_lora, init_params
from liminal.engine.peft import Adapter, adapter_from_lora
from liminal.engine.weights import save_model

EOS, USER, ASSISTANT, SYSTEM = 256, 257, 258, 259
SPECIAL = ("<eos>", "<user>", "<assistant>", "<system>")
VOCAB = 260

TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def tiny_config(**changes: Any) -> ModelConfig:
    """The test model's shape: 260 tokens, 2 layers, 4 heads over 2 key-value heads, which kernels take."""
    of = {"vocab_size": VOCAB, "eos_ids": (EOS,), "max_positions": 1024, "head_dim": 16}
    return small_config(**(of | changes))


def lively_params(config: ModelConfig, seed: int = 0) -> Params:
    """Random parameters large enough that logits differ clearly from token to token."""
    return jax.tree.map(lambda x: x * 6 if x.ndim == 2 else x, init_params(config, seed))


def byte_tokenizer() -> tokenizers.Tokenizer:
    """One token a byte, and four special ones."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = tokenizers.Tokenizer(models.BPE(vocab={char: i for i, char in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(list(SPECIAL))
    return inner


def write_model(folder: Path, config: ModelConfig | None = None, seed: int = 0) -> Path:
    """A Hugging Face folder of the test model."""
    config = config or tiny_config()
    save_model(folder, config, lively_params(config, seed))
    byte_tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"eos_token": "<eos>", "chat_template": TEMPLATE})
    )
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": EOS, "do_sample": False}))
    return folder


def lively_adapter(
    config: ModelConfig, rank: int = 4, seed: int = 0, targets: tuple[str, ...] = TARGETS
) -> Adapter:
    """A random adapter that changes answers clearly."""
    rng = np.random.default_rng(seed)
    lora = jax.tree.map(
        lambda x: rng.standard_normal(x.shape).astype(np.float32) * 0.3,
        init_lora(config, rank, seed, targets),
    )
    return adapter_from_lora(lora, alpha=float(rank))
