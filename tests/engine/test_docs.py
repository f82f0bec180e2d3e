"""docs/engine.md is executed."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from tests.engine.models import lively_adapter, tiny_config, write_model

from liminal.engine.config import ModelConfig
from liminal.engine.peft import save_adapter

PAGE = (Path(__file__).parents[2] / "docs" / "engine.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.strip().splitlines()[-1])
def test_an_example_of_the_page_runs(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config: ModelConfig = tiny_config(layers=1, windows=(None,), rotary=(True,), max_positions=512)
    write_model(tmp_path / "my-model", config)
    for seed, name in enumerate(("brief", "formal")):
        save_adapter(tmp_path / "adapters" / name, lively_adapter(config, 4, seed))
    monkeypatch.chdir(tmp_path)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            exec(compile(example, "docs/engine.md", "exec"), {})
        except BaseException as error:
            errors.append(error)

    # a thread of its own, where asyncio.run finds no loop
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert not errors, errors
    assert capsys.readouterr().out


def test_the_page_begins_with_five_lines() -> None:
    lines = [
        line for line in EXAMPLES[0].splitlines() if line.strip() and not line.startswith("import asyncio")
    ]
    assert len(lines) <= 5
