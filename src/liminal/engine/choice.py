"""Which base model an installation has: one choice from its settings for all who load it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from liminal.engine.config import CURRENT
from liminal.engine.default_model import NAME, default_model
from liminal.settings import Settings


@dataclass(frozen=True)
class BaseChoice:
    """The base model of an installation.

    Attributes:
      path: its Hugging Face folder or GGUF file.
      default: nobody chose it.
      numbers: what the engine computes in, as LIMINAL_NUMBERS says it; training computes in float32 always.
    """

    path: Path
    default: bool
    numbers: Literal["auto", "float32", "bfloat16", "float16", "int8"]


def choose_base(settings: Settings) -> BaseChoice:
    """LIMINAL_MODEL, else what `liminal model use` chose, else the default model, which has a name too.

    Raises ModelNotFound for what is not here.
    """
    chosen = chosen_name(settings)
    path = named_model(chosen, settings.home, settings.cache)
    return BaseChoice(path, chosen == NAME, settings.numbers)


def chosen_name(settings: Settings) -> str:
    """The name or path of the base model; whether it is here is not looked at."""
    chosen = settings.home / "models" / CURRENT
    return settings.model or (chosen.read_text().strip() if chosen.is_file() else "") or NAME


def named_model(name: str, home: Path, cache: Path) -> Path:
    """Where the default model, a model of the home's store, or one that is given by its path lies.

    Raises ModelNotFound.
    """
    # the supervisor asks for the name alone, and does without JAX
    from liminal.engine.hub import ModelStore

    return default_model(cache) if name == NAME else ModelStore(home / "models").resolve(name)
