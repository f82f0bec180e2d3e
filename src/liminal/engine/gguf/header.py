"""The header of a GGUF file: metadata, and where each tensor lies.

Follows the specification in ggml's docs/gguf.md (versions 2 and 3, little-endian). Whatever a file claims is
compared with its size before memory is spent, so that a truncated or hostile file costs no more than its
length; ``gguf``'s own reader trusts the file, and takes seconds for a vocabulary.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from liminal.engine.errors import ModelInvalid, ModelUnsupported

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MOST_KEYS, MOST_TENSORS, MOST_ITEMS = 4096, 65_536, 4_000_000
LONGEST_NAME, LONGEST_TEXT = 1024, 16 << 20
MOST_AXES, LARGEST_AXIS = 4, 1 << 32
LARGEST_ALIGNMENT = 1 << 16
SAMPLED = 4096
"""Bytes of each tensor, at its beginning and in its middle, that go into a file's identity."""

_SCALARS: Mapping[int, struct.Struct] = {
    number: struct.Struct(f"<{code}")
    for number, code in {
        0: "B",
        1: "b",
        2: "H",
        3: "h",
        4: "I",
        5: "i",
        6: "f",
        7: "?",
        10: "Q",
        11: "q",
        12: "d",
    }.items()
}
_STRING, _ARRAY = 8, 9


@dataclass(frozen=True)
class Tensor:
    """Where a tensor is.

    Attributes:
      shape: as numpy has it, rows first; what is stored is the reverse.
      kind: GGML's name of its numbers (``Q4_1``).
      start, nbytes: where its bytes are in the file.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    start: int
    nbytes: int


@dataclass(frozen=True)
class Header:
    """What a GGUF file says of itself.

    Attributes:
      metadata: texts, numbers and lists of them, by key.
      digest: sha256 over the header's bytes and samples of every tensor's.
    """

    path: Path
    metadata: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    digest: str

    def text(self, key: str, default: str = "") -> str:
        """A text of the metadata. Raises ModelInvalid for another type."""
        return self._typed(key, default, str)

    def number(self, key: str, default: int | None = None) -> int | None:
        """A whole number of the metadata. Raises ModelInvalid for another type."""
        return self._typed(key, default, int)

    def listed(self, key: str) -> list[Any]:
        """A list of the metadata, empty where there is none. Raises ModelInvalid for another type."""
        return self._typed(key, [], list)

    def _typed(self, key: str, default: Any, kind: type) -> Any:
        value = self.metadata.get(key, default)
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise ModelInvalid(f"{self.path.name}: {key} is {type(value).__name__}, not {kind.__name__}")
        return value


def is_gguf(path: Path) -> bool:
    """Whether a file begins as a GGUF file does, whatever it is called."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read_header(path: Path) -> Header:
    """The header of a GGUF file. Raises ModelInvalid, or ModelUnsupported for what is not read."""
    if path.stat().st_size < 24:
        raise ModelInvalid(f"{path.name} is too short for a GGUF file", path=str(path))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        try:
            return _Parser(path, view).header()
        except (struct.error, UnicodeDecodeError) as error:
            raise ModelInvalid(f"{path.name} is not a whole GGUF file: {error}", path=str(path)) from error


class _Parser:
    """Reads on from where it stands."""

    def __init__(self, path: Path, view: mmap.mmap) -> None:
        self._path, self._view, self._at = path, view, 0

    def header(self) -> Header:
        if self._take(4) != MAGIC:
            raise self._invalid("does not begin as a GGUF file does")
        version = self._scalar(4)
        if version not in VERSIONS:
            raise ModelUnsupported(f"{self._path.name} is GGUF version {version}; {VERSIONS} can be read")
        tensors, keys = self._count(MOST_TENSORS, "tensors"), self._count(MOST_KEYS, "keys")
        metadata: dict[str, Any] = {}
        for _ in range(keys):
            key = self._text(LONGEST_NAME)
            if key in metadata:
                raise self._invalid(f"has {key!r} twice")
            metadata[key] = self._value(self._scalar(4))
        stored = [self._tensor() for _ in range(tensors)]
        digest = hashlib.sha256(self._view[: self._at])
        placed = self._placed(stored, self._alignment(metadata))
        for tensor in placed.values():
            for start in (tensor.start, tensor.start + tensor.nbytes // 2):
                digest.update(self._view[start : min(start + SAMPLED, tensor.start + tensor.nbytes)])
        return Header(self._path, metadata, placed, digest.hexdigest())

    def _invalid(self, what: str) -> ModelInvalid:
        return ModelInvalid(f"{self._path.name} {what}", path=str(self._path))

    def _take(self, size: int) -> bytes:
        if size > len(self._view) - self._at:
            raise self._invalid(f"ends at byte {len(self._view)}, in the middle of its header")
        self._at += size
        return self._view[self._at - size : self._at]

    def _scalar(self, kind: int) -> Any:
        form = _SCALARS[kind]
        return form.unpack(self._take(form.size))[0]

    def _count(self, most: int, of: str) -> int:
        count: int = self._scalar(10)
        if count > most:
            raise self._invalid(f"claims {count} {of}; at most {most} are read")
        return count

    def _text(self, longest: int) -> str:
        size: int = self._scalar(10)
        if size > longest:
            raise self._invalid(f"has a text of {size} bytes; at most {longest} are read")
        return self._take(size).decode("utf-8")

    def _value(self, kind: int) -> Any:
        if kind == _ARRAY:
            return self._array()
        return self._one(kind)()

    def _one(self, kind: int) -> Callable[[], Any]:
        if kind == _STRING:
            return lambda: self._text(LONGEST_TEXT)
        if kind not in _SCALARS:
            raise self._invalid(f"has a value of type {kind}, which GGUF does not know")
        return lambda: self._scalar(kind)

    def _array(self) -> list[Any]:
        kind = self._scalar(4)
        count = self._count(MOST_ITEMS, "items in a list")
        if kind == _STRING:
            return [self._text(LONGEST_TEXT) for _ in range(count)]
        if kind not in _SCALARS:
            raise self._invalid(f"has a list of type {kind}, which is not read")
        form = _SCALARS[kind]
        return np.frombuffer(self._take(form.size * count), f"<{_numpy(form)}").tolist()

    def _tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        """(name, shape, type, offset)."""
        name = self._text(LONGEST_NAME)
        axes = self._scalar(4)
        if not 1 <= axes <= MOST_AXES:
            raise self._invalid(f"has {name!r} with {axes} axes")
        shape = tuple(int(self._scalar(10)) for _ in range(axes))
        if not all(0 < size <= LARGEST_AXIS for size in shape):
            raise self._invalid(f"has {name!r} with the shape {list(shape)}")
        return name, shape, self._scalar(4), self._scalar(10)

    def _alignment(self, metadata: Mapping[str, Any]) -> int:
        value = metadata.get("general.alignment", 32)
        if not isinstance(value, int) or not 0 < value <= LARGEST_ALIGNMENT or value & (value - 1):
            raise self._invalid(f"has the alignment {value!r}, which is no power of two")
        return value

    def _placed(
        self, stored: list[tuple[str, tuple[int, ...], int, int]], alignment: int
    ) -> dict[str, Tensor]:
        begin = -(-self._at // alignment) * alignment
        found: dict[str, Tensor] = {}
        for name, shape, number, offset in stored:
            kind = self._kind(name, number)
            block, size = GGML_QUANT_SIZES[kind]
            if name in found:
                raise self._invalid(f"has the tensor {name!r} twice")
            if shape[0] % block:
                raise self._invalid(f"has {name!r} in {kind.name} with rows of {shape[0]}")
            nbytes = prod(shape) // block * size
            if offset % alignment or begin + offset + nbytes > len(self._view):
                raise self._invalid(f"ends at byte {len(self._view)}, before the tensor {name!r} does")
            found[name] = Tensor(name, shape[::-1], kind.name, begin + offset, nbytes)
        return found

    def _kind(self, name: str, number: int) -> GGMLQuantizationType:
        try:
            return GGMLQuantizationType(number)
        except ValueError:
            raise ModelUnsupported(
                f"{self._path.name} has {name!r} in numbers of type {number}, which are not known"
            ) from None


def _numpy(form: struct.Struct) -> str:
    code = form.format[1:]
    return {"?": "u1", "B": "u1", "b": "i1", "H": "u2", "h": "i2", "I": "u4", "i": "i4", "f": "f4"}.get(
        code, {"Q": "u8", "q": "i8", "d": "f8"}.get(code, "")
    )
