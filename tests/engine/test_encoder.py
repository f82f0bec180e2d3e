"""Sentence embeddings; their values are compared with sentence-transformers in tests/parity."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from liminal.engine.encoder import Encoder
from liminal.engine.errors import ModelInvalid, ModelUnsupported

SOURCE = Path(__file__).parents[1] / "parity" / "golden" / "encoders" / "bert_mean"
TEXTS = [
    "short",
    "a somewhat longer text about nothing",
    "",
    "x " * 60,
    "short",
    "another",
    "words and words",
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """A tiny BERT with mean pooling and normalisation."""
    return Encoder.load(SOURCE)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of its folder, to be changed."""
    return Path(shutil.copytree(SOURCE, tmp_path / "encoder"))


async def test_a_texts_vector_does_not_depend_on_its_batch(encoder: Encoder) -> None:
    together, alone = encoder.embed(TEXTS), np.stack([encoder.embed([text])[0] for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_array_equal(together[0], together[4])
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    both = await asyncio.gather(encoder.aembed(TEXTS), encoder.aembed(TEXTS[::-1]))
    np.testing.assert_allclose(both[0], both[1][::-1], atol=1e-6)


def test_nothing_gives_nothing(encoder: Encoder) -> None:
    assert encoder.embed([]).shape == (0, encoder.dimension)


@pytest.mark.parametrize("mode", ["cls", "max", "mean_sqrt_len_tokens", "mean"])
def test_pooling_is_read_from_the_folder_in_both_its_forms(copy: Path, mode: str) -> None:
    place = copy / "1_Pooling" / "config.json"
    place.write_text(json.dumps({"pooling_mode": mode}))
    new = Encoder.load(copy).config
    flag = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens"}.get(mode, mode)
    place.write_text(json.dumps({"word_embedding_dimension": 32, f"pooling_mode_{flag}": True}))
    assert (new.pooling, Encoder.load(copy).config.pooling) == (mode, mode)


def test_a_named_prompt_goes_before_the_text(copy: Path) -> None:
    (copy / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"query": "the "}}))
    encoder = Encoder.load(copy)
    np.testing.assert_array_equal(encoder.embed(["river"], prompt="query"), encoder.embed(["the river"]))
    with pytest.raises(ModelUnsupported, match="passage"):
        encoder.embed(["x"], prompt="passage")


@pytest.mark.parametrize(
    ("file", "content", "error", "named"),
    [
        ("config.json", {"model_type": "t5"}, ModelUnsupported, "t5"),
        ("1_Pooling/config.json", {"pooling_mode": "lasttoken"}, ModelUnsupported, "lasttoken"),
        ("modules.json", [{"type": "x.Dense", "path": "2_Dense"}], ModelUnsupported, "Dense"),
        ("modules.json", [{"type": "x.Pooling", "path": "../.."}], ModelInvalid, "folder"),
        ("modules.json", [1], ModelInvalid, "modules.json"),
    ],
)
def test_what_is_not_computed_is_refused_by_name(
    copy: Path, file: str, content: object, error: type[Exception], named: str
) -> None:
    (copy / file).write_text(json.dumps(content))
    with pytest.raises(error, match=named):
        Encoder.load(copy)
