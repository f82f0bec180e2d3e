"""In which way a batch's mixtures are computed; the numbers are the same in each.

``none``: no adapter in the batch. ``few16``, ``few32``: the rows in use are gathered, which is
cheapest while they are few. ``each``: every page of the bank multiplies the one batch row that uses
it. ``all``: the whole bank multiplies the whole batch, for batches that share adapters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liminal.engine.params import PAGE, PageGates

FEW: Mapping[str, int] = {"few16": 16, "few32": 32}
"""Rows gathered, by mode."""


def decode_modes(batch: int, rows: int) -> list[str]:
    """The modes that decoding ``batch`` rows over a bank of ``rows`` rank rows may use."""
    if not rows:
        return ["none"]
    few = [mode for mode in (FEW if batch == 1 else ("few16",)) if FEW[mode] < rows]
    return ["none", *few, "each", *(["all"] if batch > 1 else [])]


def prefill_modes(rows: int) -> list[str]:
    """The modes that a chunk of one prompt may use."""
    if not rows:
        return ["none"]
    return ["none", *(["few32"] if FEW["few32"] < rows else []), "all"]


def choose(gates: NDArray[np.float32], modes: Sequence[str]) -> tuple[str, tuple[Any, ...]]:
    """(mode, what the program takes after the bank) for gates [B, R], the cheapest mode first."""
    used = np.flatnonzero(gates.any(axis=0))
    if not len(used):
        return "none", ()
    for mode in modes:
        if mode in FEW and len(used) <= FEW[mode]:
            rows = np.zeros(FEW[mode], np.int32)
            rows[: len(used)] = used
            few = np.zeros((len(gates), FEW[mode]), np.float32)
            few[:, : len(used)] = gates[:, used]
            return mode, (few, rows)
    if "each" in modes:
        pages = gates.reshape(len(gates), -1, PAGE)
        users = pages.any(axis=2)  # [B, pages]
        if (users.sum(axis=0) <= 1).all():
            owner = users.argmax(axis=0).astype(np.int32)
            return "each", (PageGates(owner, pages[owner, np.arange(len(owner))]),)  # pyright: ignore[reportArgumentType]
    return "all", (gates,)
