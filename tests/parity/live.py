"""``make parity``: recompute the golden values with the real libraries; hold the engine against them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from environment import CACHE, HERE, ROOT, peer_python
from make_llama_goldens import main as make_llama_goldens
from safetensors import safe_open

from liminal.engine.default_model import default_model

GOLDEN = HERE / "golden"
TOLERANCE = 2e-5
"""Another processor adds in another order; three optimizer steps multiply that."""


def numbers(file: Path) -> dict[str, Any]:
    """The arrays of a golden file by name."""
    if file.suffix == ".npz":
        return dict(np.load(file))
    with safe_open(file, framework="numpy") as handle:
        return {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118


def same(value: Any, other: Any) -> bool:
    """Equal, but for the last digits of floats."""
    if isinstance(value, float) and isinstance(other, float):
        return abs(value - other) <= TOLERANCE * max(1.0, abs(value))
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(same(value[key], other[key]) for key in value)
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(same(*pair) for pair in zip(value, other, strict=True))
    return bool(value == other)


def differences(committed: Path, live: Path) -> Iterator[str]:
    """A sentence for every file that says something else now."""
    files = {
        path.relative_to(root) for root in (committed, live) for path in root.rglob("*") if path.is_file()
    }
    for name in sorted(files - {Path("versions.json")}):
        old, new = committed / name, live / name
        if not (old.is_file() and new.is_file()):
            yield f"{name}: only in {'the repository' if old.is_file() else 'the new values'}"
        elif old.read_bytes() == new.read_bytes():
            continue
        elif name.suffix in (".npz", ".safetensors"):
            yield from (f"{name}: {sentence}" for sentence in _arrays(numbers(old), numbers(new)))
        elif name.parts[0] == "llama":
            # another processor's products give other ties: the engine is held against the new answers
            if [_asked(line) for line in _lines(old)] != [_asked(line) for line in _lines(new)]:
                yield f"{name}: other tokens or chats"
        elif name.suffix != ".json" or not same(json.loads(old.read_text()), json.loads(new.read_text())):
            yield f"{name}: differs"


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def _asked(row: dict[str, Any]) -> list[Any]:
    return [row.get(name) for name in ("rendered", "ids", "adapter", "scale", "digest")]


def _arrays(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    if old.keys() != new.keys():
        yield "other names"
        return
    for name, value in old.items():
        error = float(np.abs(value.astype(np.float64) - new[name].astype(np.float64)).max(initial=0.0))
        if value.shape != new[name].shape or error > TOLERANCE * max(
            1.0, float(np.abs(value).max(initial=0.0))
        ):
            yield f"{name} differs by {error:.2g}"


def main() -> None:
    """Make, compare, test; ends with the first thing that does not hold."""
    live = CACHE / "parity-golden"
    shutil.rmtree(live, ignore_errors=True)
    subprocess.run([str(peer_python()), str(HERE / "make_goldens.py"), str(live)], check=True)
    make_llama_goldens(default_model(CACHE), live / "llama")
    print((live / "versions.json").read_text().strip())
    found = list(differences(GOLDEN, live))
    if found:
        sys.exit("\n".join(["the libraries no longer compute the committed values:", *found]))
    print(
        "the committed values are what these libraries compute; now the engine against the new ones",
        flush=True,
    )
    command = [sys.executable, "-m", "pytest", str(HERE)]
    sys.exit(
        subprocess.run(
            command, cwd=ROOT, env=os.environ | {"LIMINAL_GOLDEN": str(live)}, check=False
        ).returncode
    )


if __name__ == "__main__":
    main()
