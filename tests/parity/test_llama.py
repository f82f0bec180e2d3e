"""The default model against llama.cpp on the same file (golden/llama; made by make_llama_goldens.py)."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from gguf import GGUFReader
from tests.parity.environment import CACHE
from tests.parity.forced import Forcing
from tests.parity.llama_adapters import RECIPES, digest, make

from liminal.engine.config import ModelConfig
from liminal.engine.default_model import default_model
from liminal.engine.gguf.adapter import save_gguf_adapter
from liminal.engine.options import EngineOptions
from liminal.engine.source import open_model
from liminal.engine.tokenizer import Tokenizer

CLOSE = 1e-3
"""Of a log-probability. llama.cpp's server adds 49,152 exponentials one after the other in single precision,
which shifts a whole distribution by some 2e-4; products that add in another order move each by less."""
TIE = 2e-3
"""Two tokens closer than this may change places between two computations in f32."""
ROUNDED = 0.5
"""Of a log-probability, where llama.cpp rounds activations to 8 bits in every block of 32."""
FEW = 4
"""Answers that the ordinary tests hold against llama.cpp; `make parity` takes all."""
BARRED = (0, 2)
"""<|endoftext|> and <|im_end|>, which llama.cpp was not allowed to say."""
LIVE = pytest.mark.skipif("LIMINAL_GOLDEN" not in os.environ, reason="a minute and more: make parity")


@dataclass(frozen=True)
class Smol:
    """The default model in f32."""

    config: ModelConfig
    tokenizer: Tokenizer
    forcing: Forcing


@pytest.fixture(scope="module")
def smol() -> Smol:
    files = open_model(default_model(CACHE))
    return Smol(files.config, files.tokenizer(), Forcing(files.config, files.params()))


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def answers(golden: Path) -> list[dict[str, Any]]:
    return rows(golden / "llama" / "answers.jsonl")[1:]


def chosen(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All where they were just recomputed, else a few short ones."""
    if "LIMINAL_GOLDEN" in os.environ:
        return found
    short = [row for row in found if len(row["ids"]) < 90]
    return short[:: len(short) // FEW][:FEW]


def test_chats_are_rendered_as_llama_cpp_does(smol: Smol, answers: list[dict[str, Any]]) -> None:
    for row in answers:
        if "messages" in row:
            assert smol.tokenizer.render(row["messages"]) == row["rendered"]


def test_text_is_tokenized_as_llama_cpp_does(smol: Smol, answers: list[dict[str, Any]]) -> None:
    for row in answers:
        if "messages" in row:
            assert smol.tokenizer.encode_chat(row["messages"])[0] == row["ids"], row["rendered"]
        else:
            assert smol.tokenizer.encode(row["text"]) == row["ids"], row["text"]


def test_greedy_answers_and_likelihoods_are_those_of_llama_cpp(
    smol: Smol, answers: list[dict[str, Any]]
) -> None:
    ties = places = 0
    for row in chosen(answers):
        exact = row["exact"]
        ours = smol.forcing(row["ids"], exact["tokens"])
        assert np.abs(ours.differences(exact["first"], exact["at"])).max() < CLOSE, row["rendered"]
        gaps = ours.gaps(BARRED)
        assert gaps.max() < TIE, (row["rendered"], int(gaps.argmax()), float(gaps.max()))
        ties, places = ties + int((gaps > 0).sum()), places + len(gaps)
    print(f"{ties} of {places} greedy tokens are ties")
    assert ties <= places // 500


@LIVE
def test_llama_cpp_rounds_activations_and_says_nearly_the_same(
    smol: Smol, answers: list[dict[str, Any]]
) -> None:
    gaps = np.concatenate([smol.forcing(row["ids"], row["file"]["tokens"]).gaps(BARRED) for row in answers])
    print(f"{int((gaps > 0).sum())} of {len(gaps)} greedy tokens differ, by {gaps.max():.2g} at most")
    assert (gaps > 0).mean() < 0.05
    assert gaps.max() < ROUNDED


@LIVE
def test_the_file_s_own_blocks_say_nearly_what_llama_cpp_says(
    smol: Smol, answers: list[dict[str, Any]]
) -> None:
    files = open_model(default_model(CACHE))
    if EngineOptions().numbers_for(files) != "blocks":
        pytest.skip("this processor has no kernels for blocks")
    served = Forcing(smol.config, files.packed())
    found = [served(row["ids"], row["file"]["tokens"]) for row in answers]
    gaps = np.concatenate([forced.gaps(BARRED) for forced in found])
    print(f"{int((gaps > 0).sum())} of {len(gaps)} greedy tokens differ, by {gaps.max():.2g} at most")
    assert (gaps > 0).mean() < 0.05
    assert gaps.max() < ROUNDED


@LIVE
def test_adapters_change_answers_as_in_llama_cpp(smol: Smol, golden: Path) -> None:
    found = rows(golden / "llama" / "adapters.jsonl")
    for recipe in RECIPES:
        lora = make(recipe, smol.config).lora(smol.config)
        ranks = lora[0]["q_proj"].a.shape[0]
        for row in (row for row in found if row["adapter"] == recipe.name):
            gates = jnp.full((1, ranks), row["scale"], jnp.float32)
            ours = smol.forcing(row["ids"], row["tokens"], lora, gates)
            where = (recipe.name, row["scale"])
            assert np.abs(ours.differences(row["first"], row["at"])).max() < CLOSE, where
            assert ours.gaps(BARRED).max() < TIE, where


def test_the_exporter_writes_what_llama_cpp_was_given(smol: Smol, golden: Path, tmp_path: Path) -> None:
    given = {row["adapter"]: row["digest"] for row in rows(golden / "llama" / "adapters.jsonl")}
    for recipe in RECIPES:
        file = tmp_path / f"{recipe.name}.gguf"
        save_gguf_adapter(file, make(recipe, smol.config), smol.config)
        written = {tensor.name: tensor.data for tensor in GGUFReader(file).tensors}
        assert digest(written) == given[recipe.name]
