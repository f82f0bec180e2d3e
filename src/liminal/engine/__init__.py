"""Frozen base models in JAX, decoded with exact mixtures of LoRA adapters. Usable alone.

The names below are imported when they are first used, so that importing a part of the engine does not
import all of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from liminal.engine.backend import Backend
    from liminal.engine.encoder import Encoder
    from liminal.engine.engine import Engine
    from liminal.engine.openai_backend import Endpoint, OpenAIBackend
    from liminal.engine.options import EngineOptions
    from liminal.engine.request import Delta, Priority, Request, Sampling

_HOMES = {
    "Backend": "backend",
    "Delta": "request",
    "Encoder": "encoder",
    "Endpoint": "openai_backend",
    "Engine": "engine",
    "EngineOptions": "options",
    "OpenAIBackend": "openai_backend",
    "Priority": "request",
    "Request": "request",
    "Sampling": "request",
}

__all__ = [
    "Backend",
    "Delta",
    "Encoder",
    "Endpoint",
    "Engine",
    "EngineOptions",
    "OpenAIBackend",
    "Priority",
    "Request",
    "Sampling",
]


def __getattr__(name: str) -> Any:
    """The public names, from their modules."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
