"""What the code of a decoder's layers and its callers agree on."""

from __future__ import annotations

GIVEN = ("x", "cos", "sin", "slots", "positions", "windows", "count", "eps")
"""Arguments before those of the layers."""
LAYER = (
    "input_norm", "q_proj", "k_proj", "v_proj", "o_proj", "post_norm", "gate_proj", "up_proj", "down_proj"
)  # fmt: skip
"""Arguments of each layer; after them all keys, then all values, which are results too."""


def scratch_bytes(rows: int, hidden: int, inner: int, heads: int, kv_heads: int, dim: int) -> int:
    """What a call holds between its phases."""
    floats = (2 * heads + 2 * kv_heads) * dim + 2 * inner
    return rows * (4 * floats + (hidden + heads * dim + inner) * 5 // 4)
