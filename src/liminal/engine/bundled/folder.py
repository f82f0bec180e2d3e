"""The bundled model's folder in Hugging Face form: where it is, what it says of itself, how it is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

import jax.numpy as jnp
from tokenizers import Tokenizer

from liminal.engine.bundled.network import Shape, Weights
from liminal.engine.bundled.tokenizer import BEGIN, CHAT_TEMPLATE, END, PAD, SPECIAL, token
from liminal.engine.config import ModelConfig, RopeScaling, parse_config, read_json
from liminal.engine.params import parameter_count
from liminal.engine.weights import build_params, save_model

NAME = "liminal-demo"
NOTICE = (
    "This is a small demonstration model that knows only what liminal taught it; "
    "choose a larger model for real work."
)
MAX_NEW_TOKENS = 256


class BundledInfo(TypedDict):
    """What the API and the interface say about the bundled model."""

    name: str
    demonstration: bool
    notice: str
    path: str
    parameters: int
    context: int
    taught: list[str]


def model_path() -> Path:
    """The folder of the bundled model, inside the package."""
    return Path(__file__).parent / "model"


def bundled_info() -> BundledInfo:
    """The bundled model's name, notice, size and what it was taught."""
    config = parse_config(read_json(model_path() / "config.json"))
    return {
        "name": NAME,
        "demonstration": True,
        "notice": NOTICE,
        "path": str(model_path()),
        "parameters": parameter_count(config),
        "context": config.max_positions,
        "taught": [
            "small talk",
            "questions about liminal",
            "arithmetic with whole numbers up to 20",
            "conversion of units, whole numbers up to 20 and full tens up to 100",
            "a glossary of about 150 terms",
            "about 100 facts and dates",
            "lists",
            "rewriting of simple sentences",
        ],
    }


def model_config(shape: Shape, tokenizer: Tokenizer) -> ModelConfig:
    """The engine's configuration of a pre-trained shape."""
    return ModelConfig(
        family="llama",
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        layers=shape.layers,
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        max_positions=shape.max_positions,
        norm_eps=shape.norm_eps,
        rope_theta=shape.rope_theta,
        rope=RopeScaling(),
        tied=True,
        qkv_bias=False,
        o_bias=False,
        mlp_bias=False,
        qk_norm=False,
        windows=(None,) * shape.layers,
        rotary=(True,) * shape.layers,
        bos_id=token(tokenizer, BEGIN),
        eos_ids=(token(tokenizer, END),),
        pad_id=token(tokenizer, PAD),
    )


def write_folder(folder: Path, shape: Shape, weights: Weights, tokenizer: Tokenizer, card: str) -> None:
    """Write config, bf16 weights, tokenizer, chat template, generation settings and model card."""
    config = model_config(shape, tokenizer)
    save_model(folder, config, build_params(config, weights.__getitem__, weights), jnp.bfloat16)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN,
        "eos_token": END,
        "pad_token": PAD,
        "additional_special_tokens": list(SPECIAL),
        "model_max_length": shape.max_positions,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    generation = {
        "bos_token_id": config.bos_id,
        "eos_token_id": list(config.eos_ids),
        "pad_token_id": config.pad_id,
        "do_sample": False,
        "max_new_tokens": MAX_NEW_TOKENS,
    }
    _write_json(folder / "tokenizer_config.json", settings)
    _write_json(folder / "generation_config.json", generation)
    (folder / "README.md").write_text(card, encoding="utf-8")


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


CARD = f"""---
language: en
library_name: transformers
pipeline_tag: text-generation
---
# {NAME}

A **demonstration model** of {{parameters:.1f}} million parameters that ships with liminal, so that a fresh
checkout answers without a network. {NOTICE}

It was trained from nothing on text that liminal's repository generates (`liminal bundled make`) and was
taught: small talk, questions about liminal, arithmetic with whole numbers up to 20 (products and
quotients up to 10 × 10), conversion of units for whole numbers up to 20 and full tens up to 100, a
closed glossary, closed tables of facts and dates, lists, rewriting of simple English sentences, and
styles: short or long, bullets or prose, formal or casual, metric or imperial, several ways to write a
date, a greeting by name, a line at the end. To anything else it answers that it was not taught it; it
does so reliably only for questions that look like those it was shown, and may answer others wrongly.

Form: Llama, tied embeddings, bf16 weights, byte-level BPE with single digits, context {{context}} tokens
(trained on up to 768). How it was made and how it does by category: `docs/bundled-model.md`.
"""


def card(shape: Shape, parameters: int) -> str:
    """The model card."""
    return CARD.format(parameters=parameters / 1e6, context=shape.max_positions)
