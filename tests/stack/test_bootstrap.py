"""The bootstrap makes what changed, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from liminal.stack import bootstrap


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Times that the only step was made; its input is tmp_path/lock."""
    made: list[str] = []
    (tmp_path / "lock").write_text("one")
    step = bootstrap.Step(
        "part", "a part", tmp_path / "stamp", [tmp_path / "lock"], lambda: made.append("part")
    )
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "BOOT", tmp_path / ".boot")
    monkeypatch.setattr(bootstrap, "steps", lambda: [step])
    return made


def test_a_step_is_made_once_and_again_when_its_input_changed(counted: list[str], tmp_path: Path) -> None:
    bootstrap.main([])
    bootstrap.main([])
    assert counted == ["part"]
    (tmp_path / "lock").write_text("two")
    bootstrap.main([])
    assert counted == ["part", "part"]


def test_only_the_steps_that_were_asked_for_are_made(counted: list[str]) -> None:
    bootstrap.main(["another"])
    assert counted == []


def test_a_step_that_fails_is_made_again(counted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (step,) = bootstrap.steps()

    def fails() -> None:
        bootstrap.run(["/bin/false"])

    monkeypatch.setattr(
        bootstrap, "steps", lambda: [bootstrap.Step("part", "a part", step.stamp, step.inputs, fails)]
    )
    with pytest.raises(SystemExit, match="false ended with status 1"):
        bootstrap.main([])
    monkeypatch.setattr(bootstrap, "steps", lambda: [step])
    bootstrap.main([])
    assert counted == ["part"]


def test_an_installed_package_with_another_checksum_than_the_lock_s_is_found(tmp_path: Path) -> None:
    lock, installed = tmp_path / "lock.json", tmp_path / "installed.json"
    right = {"version": "1.0.0", "integrity": "sha512-right"}
    lock.write_text(json.dumps({"packages": {"node_modules/a": right, "node_modules/b": right}}))
    installed.write_text(
        json.dumps(
            {
                "packages": {
                    "node_modules/a": right,
                    "node_modules/b": {**right, "integrity": "sha512-forged"},
                    "node_modules/new": right,
                    "node_modules/a-for-another-platform": {**right, "optional": True},
                }
            }
        )
    )
    assert bootstrap.unlocked_packages(lock, installed) == ["node_modules/b", "node_modules/new"]
