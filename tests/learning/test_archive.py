"""An adapter travels as one blob and comes back the same."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from liminal.learning.adapters.archive import FILES, pack, unpack
from liminal.learning.errors import ArchiveInvalid


def folder_with(path: Path) -> Path:
    path.mkdir()
    for name in FILES:
        (path / name).write_bytes(name.encode() * 100)
    return path


def test_the_same_files_give_the_same_bytes_whenever_and_wherever_they_were_written(tmp_path: Path) -> None:
    first, second = folder_with(tmp_path / "a"), folder_with(tmp_path / "b")
    (second / "training.json").write_text("not part of it")
    assert pack(first) == pack(second)
    unpack(pack(first), tmp_path / "c")
    assert pack(tmp_path / "c") == pack(first)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "adapter_config.json"])
def test_an_archive_with_anything_else_in_it_is_refused(tmp_path: Path, name: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(ArchiveInvalid):
        unpack(buffer.getvalue(), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveInvalid):
        unpack(b"no tar" * 200, tmp_path / "out")
