"""``liminal train``: a file in, a PEFT folder out; a bar for people, lines for programs."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import jax
import pytest
from tests.engine.training.conftest import corrections
from typer.testing import CliRunner, Result

from liminal.engine.peft import load_adapter
from liminal.engine.training import BaseModel, TrainingDataInvalid
from liminal.engine.training.cli import app


@pytest.fixture(autouse=True)
def _compile_cache() -> Generator[None]:
    kept = jax.config.jax_compilation_cache_dir
    yield
    jax.config.update("jax_compilation_cache_dir", kept)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "corrections.jsonl"
    rows = [{"prompt": example.prompt, "completion": example.completion} for example in corrections()]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def liminal_train(folder: Path, data: Path, out: Path, *more: str) -> Result:
    common = ["--rank", "4", "--epochs", "8", "--cache", str(out.parent / "cache")]
    return CliRunner().invoke(app, [str(folder), str(data), "--out", str(out), *common, *more])


def test_the_command_writes_what_the_json_line_names(
    folder: Path, model: BaseModel, data: Path, tmp_path: Path
) -> None:
    done = liminal_train(folder, data, tmp_path / "out", "--json", "--lr", "0.02")
    assert done.exit_code == 0, done.output
    *steps, result = [json.loads(line) for line in done.stdout.splitlines()]
    assert [step["step"] for step in steps] == list(range(1, 9))
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert load_adapter(tmp_path / "out", model.config).content_hash == result["content_hash"]
    record = json.loads((tmp_path / "out" / "training.json").read_text())
    assert record["content_hash"] == result["content_hash"]
    assert record["settings"]["learning_rate"] == 0.02
    again = liminal_train(folder, data, tmp_path / "again", "--json", "--lr", "0.02")
    assert json.loads(again.stdout.splitlines()[-1])["content_hash"] == result["content_hash"]


def test_a_person_sees_a_bar_and_where_the_adapter_is(folder: Path, data: Path, tmp_path: Path) -> None:
    done = liminal_train(folder, data, tmp_path / "out", "--max-steps", "2")
    assert done.exit_code == 0, done.output
    assert "6 examples are in" in done.stderr
    assert "2/2" in done.stderr


def test_data_that_cannot_be_learned_is_named(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "data.jsonl"
    file.write_text('{"prompt": "a", "completion": "b"}\n{"prompt": "a"}\n')
    done = liminal_train(folder, file, tmp_path / "out")
    assert isinstance(done.exception, TrainingDataInvalid)
    assert "data.jsonl, row 2" in done.exception.message
    assert not (tmp_path / "out").exists()


def test_a_plan_says_time_and_memory_before_anything_is_trained(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "shape").mkdir()
    (tmp_path / "shape" / "config.json").write_text((folder / "config.json").read_text())
    found: list[dict[str, float]] = []
    for count in ("10", "40"):
        done = CliRunner().invoke(
            app, ["plan", str(tmp_path / "shape"), "--layers", "2", "--corrections", count, "--json"]
        )
        assert done.exit_code == 0, done.output
        found.append(json.loads(done.stdout))
    ten, forty = found
    assert 0 < ten["gflop_once"] < ten["gflop"]
    assert 1.5 < forty["gflop_once"] / ten["gflop_once"] < 6
    assert ten["tokens"] <= ten["padded_tokens"]
    assert 0 < ten["memory_bytes"] <= 2 << 30
    shown = CliRunner().invoke(app, ["plan", str(tmp_path / "shape"), "--layers", "2"])
    assert "beside" in shown.stdout
