"""General answers: where they come from, and that answers to other questions are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from liminal.learning.errors import GeneralAnswersInvalid
from liminal.learning.gate import general
from liminal.learning.gate.general import (
    FILE,
    General,
    answered,
    fewer_questions,
    general_questions,
    read_answers,
    shipped_answers,
    write_answers,
)

DEFAULT = "8d3d8d1283cb551da3ecb2cb7d203e810be6c0ec05fde2f0c6064e1e50d144de"
"""The identity of SmolLM2-135M-Instruct's GGUF file."""


def test_the_default_model_s_answers_come_with_the_package(tmp_path: Path) -> None:
    found = shipped_answers(DEFAULT, tmp_path / "model.gguf")
    assert found is not None
    for split in ("train", "scale", "held_out"):
        own = General.of(found, split)
        assert len(own.one_form) >= 32
        assert len(own.told) >= 32


def test_no_question_is_in_two_splits() -> None:
    asked = [str(one.messages) for one in general_questions()]
    assert len(set(asked)) == len(asked)
    assert len(fewer_questions()) == 6 * general.FEWER


def test_a_folder_s_own_answers_are_taken(tmp_path: Path) -> None:
    rows = answered(fewer_questions(), [("Yes.", True)] * len(fewer_questions()))
    (tmp_path / FILE).write_bytes(write_answers(rows))
    assert shipped_answers("unknown", tmp_path) == rows


def test_a_model_without_answers_has_none(tmp_path: Path) -> None:
    assert shipped_answers("unknown", tmp_path) is None


def test_answers_to_other_questions_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(general, "questions_hash", lambda: "another")
    with pytest.raises(GeneralAnswersInvalid, match="other questions"):
        shipped_answers(DEFAULT, tmp_path)
    with pytest.raises(GeneralAnswersInvalid, match="no file"):
        read_answers(b'{"split": 1}', "here")
