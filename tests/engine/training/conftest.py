"""One tiny model with a chat template for every test of training: the golden Llama of tests/parity."""

from __future__ import annotations

from pathlib import Path

import pytest

from liminal.engine.training import BaseModel, Completion

FOLDER = Path(__file__).parents[2] / "parity" / "golden" / "models" / "llama"


@pytest.fixture(scope="session")
def folder() -> Path:
    return FOLDER


@pytest.fixture(scope="session")
def model(folder: Path) -> BaseModel:
    return BaseModel.load(folder)


def corrections(count: int = 6, word: str = "stones") -> list[Completion]:
    """Short answers that a tiny model can learn by heart."""
    return [
        Completion(
            [{"role": "user", "content": f"How many {word}, case {number}?"}],
            [{"role": "assistant", "content": f"{number} {word}."}],
        )
        for number in range(count)
    ]
