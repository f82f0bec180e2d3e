"""Sentence embeddings against sentence-transformers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from liminal.engine.encoder import Encoder


@pytest.mark.parametrize("name", ["minilm", "bert_cls", "bert_mean"])
def test_embeddings_equal_those_of_sentence_transformers(golden: Path, name: str) -> None:
    encoder = Encoder.load(None if name == "minilm" else golden / "encoders" / name)
    sentences = json.loads((golden / "sentences.json").read_text("utf-8"))
    expected = np.load(golden / "embeddings.npz")[name]
    np.testing.assert_allclose(encoder.embed(sentences), expected, atol=1e-5, rtol=1e-5)
