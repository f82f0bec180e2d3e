"""A run's state on disk, in one file that is replaced atomically: a kill at any moment leaves a whole one."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from liminal.engine.training.errors import CheckpointInvalid

FILE = "checkpoint.safetensors"
UNFINISHED = f".{FILE}"
VERSION = "1"


@dataclass(frozen=True)
class Position:
    """How far a run has come."""

    step: int
    tokens: int


def save_checkpoint(folder: Path, state: Any, position: Position, fingerprint: str) -> None:
    """Write the arrays of ``state`` (any tree) so that they survive a crash of the process or the machine."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"{index:06d}": np.asarray(leaf) for index, leaf in enumerate(jax.tree.leaves(state))}
    metadata = {
        "version": VERSION,
        "fingerprint": fingerprint,
        "position": json.dumps({"step": position.step, "tokens": position.tokens}),
    }
    fresh = folder / UNFINISHED
    with fresh.open("wb") as file:
        file.write(save(arrays, metadata))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / FILE)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def load_checkpoint(folder: Path, like: Any, fingerprint: str) -> tuple[Any, Position] | None:
    """The state saved in ``folder`` in the structure of ``like``, or None if there is none.

    Raises CheckpointInvalid for a file of another run (other data, settings or base) or an unreadable one.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    leaves, structure = jax.tree.flatten(like)
    try:
        with safe_open(path, framework="numpy") as handle:
            metadata: dict[str, str] = handle.metadata() or {}
            found = [handle.get_tensor(name) for name in sorted(handle.keys())]
    except (SafetensorError, OSError) as error:
        raise CheckpointInvalid(f"{path} cannot be read: {error}", path=str(path)) from error
    if metadata.get("version") != VERSION or metadata.get("fingerprint") != fingerprint:
        raise CheckpointInvalid(
            f"{path} belongs to a run with other data, settings or base; remove it or use another folder",
            path=str(path),
        )
    if [array.shape for array in found] != [np.shape(leaf) for leaf in leaves]:
        raise CheckpointInvalid(f"{path} does not hold this run's arrays", path=str(path))
    position = json.loads(metadata["position"])
    state = jax.tree.unflatten(structure, [jnp.asarray(array) for array in found])
    return state, Position(int(position["step"]), int(position["tokens"]))


def remove_checkpoint(folder: Path) -> None:
    """Forget a finished run's state, and what a kill may have left half written."""
    for name in (FILE, UNFINISHED):
        (folder / name).unlink(missing_ok=True)
