"""Compiled programs kept on disk, so that a restart does not compile again."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path

import jax


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
    folder = Path(root) / f"jaxlib-{version('jaxlib')}-{jax.default_backend()}-{processor()}"
    folder.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder
