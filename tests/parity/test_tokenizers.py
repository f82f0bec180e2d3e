"""Encodings, decodings and rendered chats against transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from liminal.engine.tokenizer import Tokenizer


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("name", ["chatml", "bracketed"])
def test_text_is_encoded_and_decoded_as_transformers_does(golden: Path, name: str) -> None:
    tokenizer = Tokenizer.load(golden / "tokenizers" / name)
    for row in rows(golden / "encodings.jsonl"):
        if row["tokenizer"] != name:
            continue
        assert tokenizer.encode(row["text"]) == row["ids"], row["text"]
        assert tokenizer.encode(row["text"], special=False) == row["ids_without_special"], row["text"]
        if not any(marker in row["text"] for marker in ("<|im_start|>", "<s>")):
            assert tokenizer.encode_typed(row["text"]) == row["ids"], row["text"]
        assert tokenizer.decode(row["ids"], skip_special=False) == row["decoded"]
        assert tokenizer.decode(row["ids"]) == row["decoded_without_special"]


@pytest.mark.parametrize("name", ["chatml", "tooled", "bracketed"])
def test_chats_are_rendered_as_transformers_does(golden: Path, name: str) -> None:
    tokenizer = Tokenizer.load(golden / "tokenizers" / name)
    for row in rows(golden / "chats.jsonl"):
        if row["tokenizer"] != name:
            continue
        rendered = tokenizer.render_chat(row["messages"], **row["arguments"])
        assert rendered.text == row["text"]
        assert tokenizer.encode_rendered(rendered)[0] == row["ids"]
