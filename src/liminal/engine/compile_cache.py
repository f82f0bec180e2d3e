"""Compiled programs kept on disk, so that a restart does not compile again.

JAX's own cache knows a program by what it is lowered to, so that tracing and lowering are left to do: for
30 layers that is most of a warm start. An engine therefore keeps its executables whole, named by what they
are made of.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import shutil
import threading
import time
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import jax
from jax.experimental import serialize_executable

UNUSED_DAYS = 14
"""Days after which executables of an earlier version of this package are removed."""


def processor() -> str:
    """A short name for this processor and its instruction sets."""
    try:
        flags = next(
            line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")
        )
    except (OSError, StopIteration):
        flags = platform.processor()
    return f"{platform.machine()}-{hashlib.sha256(flags.encode()).hexdigest()[:12]}"


def keep_compiled(root: str | Path) -> Path:
    """Keep compiled programs under ``root`` for this process, and return the folder used.

    Machine code of another jaxlib or another processor must never be loaded, so the folder is named
    by both. This setting is the process's, not one engine's: JAX has a single compilation cache.
    """
    # absolute: a process that changes its folder goes on keeping them where it began
    folder = Path(root).absolute() / f"jaxlib-{version('jaxlib')}-{jax.default_backend()}-{processor()}"
    folder.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder


class Compiling:
    """Tells whether what this thread compiles meanwhile came out of JAX's own caches, on disk or in memory.

    Such an executable runs, but serialised again it lacks its functions: loaded, it fails at its first call.
    """

    _here = threading.local()

    def __enter__(self) -> Self:
        """Count from now on."""
        _listen()
        self._here.hits = self._here.compiled = 0
        return self

    def __exit__(self, *_: object) -> None:
        """Stop counting."""

    @property
    def fresh(self) -> bool:
        """Whether everything was compiled here."""
        return self._here.hits == 0 < self._here.compiled

    @classmethod
    def heard(cls, event: str, *_: float, **__: Any) -> None:
        """JAX says something."""
        if event == "/jax/compilation_cache/cache_hits":
            cls._here.hits = getattr(cls._here, "hits", 0) + 1
        elif event == "/jax/core/compile/backend_compile_duration":
            cls._here.compiled = getattr(cls._here, "compiled", 0) + 1


@cache
def _listen() -> None:
    jax.monitoring.register_event_listener(Compiling.heard)
    jax.monitoring.register_event_duration_secs_listener(Compiling.heard)


class ProgramStore:
    """Executables of one engine, whole, by name. Files are this package's own: loading one runs its code."""

    def __init__(self, root: str | Path, made_of: object) -> None:
        """``made_of``: whatever decides the programs beside this package's source; its repr is hashed."""
        folder = keep_compiled(root) / "programs"
        self._folder = folder / _source()
        if not self._folder.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True)
            _remove_unused(folder)
        os.utime(self._folder)
        self.name = hashlib.sha256(f"{_source()}\n{made_of!r}".encode()).hexdigest()[:12]
        """Of what the programs are made of: this package's source, and ``made_of``."""

    def has(self, key: object) -> bool:
        """Whether the executable is kept."""
        return self._file(key).is_file()

    def load(self, key: object) -> Any | None:
        """The executable, None if it is not kept."""
        file = self._file(key)
        try:
            return serialize_executable.deserialize_and_load(*pickle.loads(file.read_bytes()))
        except FileNotFoundError:
            return None
        except Exception:
            # cut short by a full disk, or refused by this XLA: it is built again and written anew
            return None

    def save(self, key: object, compiled: Any) -> None:
        """Keep an executable; does nothing for one that cannot be kept."""
        file = self._file(key)
        partial = file.with_suffix(f".{os.getpid()}")
        try:
            partial.write_bytes(pickle.dumps(serialize_executable.serialize(compiled)))
        except (ValueError, pickle.PicklingError, OSError):
            partial.unlink(missing_ok=True)
            return
        partial.rename(file)

    def _file(self, key: object) -> Path:
        digest = hashlib.sha256(f"{self.name}\n{key!r}".encode()).hexdigest()
        return self._folder / f"{digest[:32]}.xla"


@cache
def _source() -> str:
    """A name for the code that programs are made by."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _remove_unused(folder: Path) -> None:
    for version_folder in folder.iterdir():
        if time.time() - version_folder.stat().st_mtime > UNUSED_DAYS * 86400:
            shutil.rmtree(version_folder, ignore_errors=True)
