"""The peers' environments (torch, transformers, PEFT, TRL, …), made from their own locks, beside .venv."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = Path(os.environ.get("LIMINAL_CACHE") or ROOT / ".cache")
LOCK = HERE / "requirements.lock"


def uv() -> str:
    """The uv of `make setup`, or the one on the path."""
    own = ROOT / ".boot" / "uv" / "bin" / "uv"
    found = str(own) if own.is_file() else shutil.which("uv")
    if found is None:
        sys.exit("uv is missing; run `make setup` first")
    return found


def peer_python(lock: Path = LOCK) -> Path:
    """The Python that has what ``lock`` pins; made anew when the lock changes (torch brings 6 GB of CUDA)."""
    folder = CACHE / f"peers-{lock.stem}"
    stamp, digest = folder / "made-from", hashlib.sha256(lock.read_bytes()).hexdigest()
    python = folder / "bin" / "python"
    if stamp.is_file() and stamp.read_text() == digest:
        return python
    print(f"making {folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder} …", flush=True)
    subprocess.run([uv(), "venv", "--quiet", "--clear", "--python", "3.11", str(folder)], check=True)
    install = [uv(), "pip", "sync", "--quiet", "--require-hashes", "--python", str(python), str(lock)]
    # llama.cpp's own libraries are wanted, not its multimodal models: a third of what there is to compile
    subprocess.run(install, check=True, env={"CMAKE_ARGS": "-DLLAVA_BUILD=OFF"} | os.environ)
    stamp.write_text(digest)
    return python
