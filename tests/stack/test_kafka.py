"""The broker starts with what Java learned of it when the checkout was made ready."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from liminal.stack.kafka import broker, known_classes

CACHE = Path(__file__).parents[2] / ".cache"
USAGE = "server.properties"


def test_java_takes_what_it_learned_for_just_these_jars(tmp_path: Path) -> None:
    child = broker(tmp_path, CACHE, 1, 2)
    option = f"-XX:AOTCache={known_classes(CACHE)}"
    assert option in child.command, "run `make setup`"
    # told to insist, Java ends at once where what it learned is of other jars or another Java
    java, *options, _ = child.command
    insisting = [java, "-XX:AOTMode=on", *options]
    said = subprocess.run(insisting, capture_output=True, text=True, check=False)
    assert USAGE in said.stdout + said.stderr, said.stderr


def test_without_it_a_broker_starts_all_the_same(tmp_path: Path) -> None:
    shutil.copytree(CACHE / "jars", tmp_path / "jars", copy_function=lambda a, b: Path(b).symlink_to(a))
    known_classes(tmp_path).unlink()
    assert not any("AOTCache" in word for word in broker(tmp_path / "home", tmp_path, 1, 2).command)
