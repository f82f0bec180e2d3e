"""Where the golden values are: committed ones, or those that ``make parity`` has just recomputed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from liminal.engine.compile_cache import keep_compiled


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder that make_goldens.py filled."""
    return Path(os.environ.get("LIMINAL_GOLDEN", Path(__file__).parent / "golden"))


@pytest.fixture(scope="session", autouse=True)
def compiled_programs() -> Path:
    """Compiled programs outlive the run."""
    return keep_compiled(Path(__file__).parents[2] / ".cache" / "compiled")
