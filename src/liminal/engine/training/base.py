"""The frozen model that adapters are trained for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from liminal.engine.config import ModelConfig
from liminal.engine.errors import CapabilityMissing
from liminal.engine.numerics import Numbers, compute_dtype
from liminal.engine.params import Params
from liminal.engine.source import open_model
from liminal.engine.tokenizer import Tokenizer


@dataclass(frozen=True)
class BaseModel:
    """A decoder in float parameters, with its tokenizer. Training never changes it.

    identity: of its files (ModelFiles.identity); it tells bases apart, in whatever numbers they compute.
    """

    config: ModelConfig
    params: Params
    tokenizer: Tokenizer
    name: str
    identity: str

    def __post_init__(self) -> None:
        """Raise CapabilityMissing for rounded parameters: no gradient passes through them."""
        if self.params.embed.scale is not None or self.params.embed.form is not None:
            raise CapabilityMissing("rounded parameters cannot be trained through; load the model in float")

    @classmethod
    def load(cls, path: str | Path, numbers: Numbers = "auto") -> BaseModel:
        """From a folder or a GGUF file; raises ModelNotFound, ModelUnsupported or ModelInvalid."""
        files = open_model(path)
        params = files.params(compute_dtype(numbers))
        return cls(files.config, params, files.tokenizer(), files.name, files.identity)
