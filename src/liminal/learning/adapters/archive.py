"""An adapter as one blob: a tar of its PEFT folder, the same bytes for the same files."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from liminal.learning.errors import ArchiveInvalid

FILES = ("adapter_config.json", "adapter_model.safetensors")
LARGEST = 4 << 30
"""Bytes of one file."""


def pack(folder: Path) -> bytes:
    """The PEFT files of a folder as a POSIX ustar archive without times and owners."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in FILES:
            payload = (folder / name).read_bytes()
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(payload), 0o644
            archive.addfile(member, io.BytesIO(payload))
    return buffer.getvalue()


def unpack(payload: bytes, folder: Path) -> None:
    """Write the PEFT files of an archive into ``folder``. Raises ArchiveInvalid for anything else in it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(payload), mode="r:") as archive:
            members = {member.name: member for member in archive.getmembers()}
            if set(members) != set(FILES) or not all(
                m.isreg() and m.size <= LARGEST for m in members.values()
            ):
                raise ArchiveInvalid(f"the archive holds {sorted(members)}, not {', '.join(FILES)}")
            for name, member in members.items():
                source = archive.extractfile(member)
                assert source is not None
                (folder / name).write_bytes(source.read())
    except tarfile.TarError as error:
        raise ArchiveInvalid(f"it is no tar archive: {error}") from error
