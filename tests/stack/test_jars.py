"""The Kafka jars are those of the lock, or they are not used."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from liminal.stack.errors import ChecksumMismatch, StackError
from liminal.stack.jars import classpath, fetch, locked_jars


def smallest() -> list[str]:
    """The coordinates of jars of a few kilobytes."""
    return ["org.jspecify:jspecify:1.0.0"]


def test_a_jar_that_is_not_the_locked_one_is_refused_and_not_kept(tmp_path: Path) -> None:
    (jar,) = [jar for jar in locked_jars() if jar.coordinate in smallest()]
    forged = dataclasses.replace(jar, sha256="0" * 64)
    with pytest.raises(ChecksumMismatch, match=jar.coordinate):
        fetch(tmp_path, [forged], progress=print)
    assert not list((tmp_path / "jars").iterdir())

    assert fetch(tmp_path, [jar], progress=print) == 1
    assert fetch(tmp_path, [jar], progress=print) == 0


def test_a_missing_jar_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="run `make setup`"):
        classpath(tmp_path)
