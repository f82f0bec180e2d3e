"""The Python of docs/training.md runs as it stands (its commands are run by tests/docs)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.processes import SMALL_MODEL

DOCS = Path(__file__).parents[3] / "docs"


def test_the_python_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").symlink_to(DOCS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIMINAL_MODEL", str(SMALL_MODEL))
    blocks = re.findall(
        r"^```python\n(.*?)^```", (DOCS / "training.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert blocks
    for block in blocks:
        exec(compile(block, "docs/training.md", "exec"), {})
    base, taught = map(float, re.findall(r"[\d.]+", capsys.readouterr().out))
    assert taught < base
    assert (tmp_path / "adapters" / "from-python" / "adapter_model.safetensors").is_file()
