"""Make golden/llama with llama.cpp from a GGUF file: tokens, chats, greedy answers, log-probabilities.

    .venv/bin/python tests/parity/make_llama_goldens.py MODEL.gguf FOLDER

Each answer is made twice. ``file`` is what llama.cpp computes from the file as it is, with activations
rounded to 8 bits beside its 4-bit weights; ``exact`` is what it computes from the same weights in f32.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "peers")]

# the folders beside this file are no packages
from gguf import GGUFReader  # noqa: E402
from llama import EXACT, WHEEL, Completion, LlamaServer, Serving, threads, write_f32  # noqa: E402
from llama_adapters import RECIPES, SCALES, digest, make  # noqa: E402
from recipes.prompts import cases  # noqa: E402

from liminal.engine.gguf.adapter import save_gguf_adapter  # noqa: E402
from liminal.engine.source import open_model  # noqa: E402

TOKENS, SHORT, TOP = 64, 16, 10
"""Greedy tokens of each answer, and with an adapter; how many log-probabilities of the first."""
ADAPTED = (0, 22)
"""Which prompts are answered with adapters too: a text and a chat."""


def answers(server: LlamaServer, prompts: list[list[int]]) -> list[dict[str, Any]]:
    """Greedy tokens and the first token's most likely, of each prompt."""
    return [answer(server.complete(prompt, TOKENS, TOP)) for prompt in prompts]


def answer(done: Completion) -> dict[str, Any]:
    """A completion as a golden value; ``at`` is the place that ``first`` is about.

    llama.cpp reports nothing for a token that ends within a character.
    """
    chosen, most_likely = done.logprobs[0]
    first = [[token, round(value, 5)] for token, value in most_likely]
    return {"tokens": done.tokens, "first": first, "at": done.tokens.index(chosen)}


def with_adapters(model: Path, wide: Path, prompts: list[list[int]], folder: Path) -> list[dict[str, Any]]:
    """Answers of every adapter at every scale, over the model in f32."""
    config = open_model(model).config
    files = [str(folder / f"{recipe.name}.gguf") for recipe in RECIPES]
    for recipe, file in zip(RECIPES, files, strict=True):
        save_gguf_adapter(file, make(recipe, config), config)
    found: list[dict[str, Any]] = []
    with LlamaServer(Serving(str(wide), threads(), adapters=tuple(files), **EXACT)) as server:
        for at, recipe in enumerate(RECIPES):
            written = {tensor.name: tensor.data for tensor in GGUFReader(files[at]).tensors}
            about = {"adapter": recipe.name, "digest": digest(written)}
            for scale, prompt in itertools.product(SCALES, prompts):
                gates = [scale if other == at else 0.0 for other in range(len(RECIPES))]
                done = server.complete(prompt, SHORT, TOP, gates)
                found.append(about | {"scale": scale, "ids": prompt} | answer(done))
    return found


def main(model: Path, out: Path) -> None:
    """Fill ``out``; some four minutes on two cores, most of them in f32."""
    rows = cases()
    out.mkdir(parents=True, exist_ok=True)
    with LlamaServer(Serving(str(model), threads(), **EXACT)) as server:
        for row in rows:
            row["rendered"] = server.render(row["messages"]) if "messages" in row else row["text"]
            row["ids"] = server.tokenize(row["rendered"], special="text" in row)
        prompts = [row["ids"] for row in rows]
        as_stored = answers(server, prompts)
    print("the file as it is: done", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        wide = Path(scratch) / "f32.gguf"
        write_f32(model, wide)
        with LlamaServer(Serving(str(wide), threads(), **EXACT)) as server:
            in_f32 = answers(server, prompts)
        print("in f32: done", flush=True)
        adapted = with_adapters(model, wide, [rows[at]["ids"] for at in ADAPTED], Path(scratch))
    for row, stored, exact in zip(rows, as_stored, in_f32, strict=True):
        row |= {"file": stored, "exact": exact}
    version = next(line for line in WHEEL.read_text().splitlines() if line.startswith("xllamacpp=="))
    sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    about = {"file": model.name, "sha256": sha256, "made_by": version.split()[0]}
    write(out / "answers.jsonl", [about, *rows])
    write(out / "adapters.jsonl", adapted)


def write(file: Path, rows: list[dict[str, Any]]) -> None:
    """One JSON object a line."""
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
