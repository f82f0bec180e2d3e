"""Data in TRL's formats, from every kind of file, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from liminal.engine.training import (
    BaseModel,
    Completion,
    Conversation,
    Document,
    Judgement,
    Preference,
    TrainingDataInvalid,
    parse_example,
    read_examples,
)
from liminal.engine.training.encoding import Encoder

USER, ANSWER = {"role": "user", "content": "Tea?"}, {"role": "assistant", "content": "3.5 litres."}
WORSE = {"role": "assistant", "content": "No."}
ROWS: list[tuple[dict[str, Any], Any]] = [
    ({"prompt": "a", "completion": "b"}, Completion("a", "b")),
    ({"prompt": [USER], "completion": [ANSWER]}, Completion([USER], [ANSWER])),
    ({"messages": [USER, ANSWER]}, Conversation([USER, ANSWER])),
    ({"text": "the river"}, Document("the river")),
    ({"prompt": [USER], "chosen": [ANSWER], "rejected": [WORSE]}, Preference([USER], [ANSWER], [WORSE])),
    ({"chosen": [USER, ANSWER], "rejected": [USER, WORSE]}, Preference([USER], [ANSWER], [WORSE])),
    (
        {"chosen": "the river runs", "rejected": "the river sleeps"},
        Preference("the river", " runs", " sleeps"),
    ),
    ({"prompt": [USER], "completion": [WORSE], "label": False}, Judgement([USER], [WORSE], False)),
]


@pytest.mark.parametrize(("row", "example"), ROWS)
def test_a_rows_columns_say_what_it_is(row: dict[str, Any], example: Any) -> None:
    assert parse_example(row) == example


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet"])
def test_every_kind_of_file_gives_the_same_examples(tmp_path: Path, suffix: str) -> None:
    rows = [row for row, _ in ROWS if "messages" in row or ("completion" in row and "label" not in row)][1:]
    file = tmp_path / f"data{suffix}"
    if suffix == ".parquet":
        pq.write_table(
            pa.Table.from_pylist(
                [{k: row.get(k) for k in ("prompt", "completion", "messages")} for row in rows]
            ),
            file,
        )
    elif suffix == ".json":
        file.write_text(json.dumps(rows))
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows) + "\n")
    assert read_examples(file) == [parse_example(row) for row in rows]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"prompt": "a"}\n', "row 1: columns"),
        ('{"prompt": "a", "completion": "b"}\n{"prompt": 3, "completion": "b"}\n', "row 2: prompt"),
        ('{"prompt": "a", "completion": "b", "label": "up"}\n', "label"),
        ('{"prompt": "a", \n', "line 1 is not valid JSON"),
        ("[1]\n", "object"),
        ("", "no examples"),
    ],
)
def test_a_row_that_cannot_be_learned_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "data.jsonl"
    file.write_text(text)
    with pytest.raises(TrainingDataInvalid, match=complaint):
        read_examples(file)


def test_a_file_that_is_not_parquet_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "data.parquet"
    file.write_bytes(b"PAR1 but not really")
    with pytest.raises(TrainingDataInvalid, match="Parquet"):
        read_examples(file)


def test_a_long_prompt_loses_its_beginning_and_never_the_answer(model: BaseModel) -> None:
    long = [{"role": "user", "content": "the river carries stones " * 40}]
    whole = Encoder(model.tokenizer, 4096).encode(Completion(long, [ANSWER]))[0]
    cut = Encoder(model.tokenizer, 48).encode(Completion(long, [ANSWER]))[0]
    assert len(cut) == 48
    assert cut.answer.tolist() == whole.answer.tolist()
    assert cut.tokens.tolist() == whole.tokens[-48:].tolist()


def test_an_answer_that_is_too_long_keeps_its_beginning(model: BaseModel) -> None:
    long = [{"role": "assistant", "content": "the river carries stones " * 40}]
    whole = Encoder(model.tokenizer, 4096).encode(Completion([USER], long))[0]
    cut = Encoder(model.tokenizer, 48).encode(Completion([USER], long))[0]
    assert len(cut) == 48
    assert cut.context.tolist() == whole.context[-1:].tolist()
    assert cut.answer.tolist() == whole.answer[:47].tolist()


def test_an_empty_answer_is_refused(model: BaseModel) -> None:
    with pytest.raises(TrainingDataInvalid, match="nothing to learn"):
        Encoder(model.tokenizer, 64).encode(Conversation([USER]))


def test_text_and_messages_do_not_mix(model: BaseModel) -> None:
    with pytest.raises(TrainingDataInvalid, match="must be"):
        Encoder(model.tokenizer, 64).encode(Completion("a", [ANSWER]))
    with pytest.raises(TrainingDataInvalid, match="must be"):
        Encoder(model.tokenizer, 64).encode(Completion([USER], "b"))
