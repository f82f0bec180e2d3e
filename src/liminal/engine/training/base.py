"""The frozen model that adapters are trained for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import jax
import numpy as np

from liminal.engine.config import ModelConfig, model_name, read_config
from liminal.engine.errors import CapabilityMissing
from liminal.engine.numerics import Numbers, compute_dtype
from liminal.engine.params import Params
from liminal.engine.tokenizer import Tokenizer
from liminal.engine.weights import load_params

SAMPLED_BYTES = 4096


@dataclass(frozen=True)
class BaseModel:
    """A decoder in float parameters, with its tokenizer. Training never changes it.

    An engine's own parameters serve as well: ``BaseModel(engine.config, engine.params, engine.tokenizer)``.
    """

    config: ModelConfig
    params: Params
    tokenizer: Tokenizer
    name: str = "model"

    def __post_init__(self) -> None:
        """Raise CapabilityMissing for int8 parameters: no gradient passes through their rounding."""
        if self.params.embed.scale is not None:
            raise CapabilityMissing("int8 parameters cannot be trained through; load the model in float")

    @classmethod
    def load(cls, folder: str | Path, numbers: Numbers = "auto") -> BaseModel:
        """From a Hugging Face folder; raises ModelNotFound, ModelUnsupported or ModelInvalid."""
        path = Path(folder)
        config = read_config(path)
        params = load_params(path, config, compute_dtype(numbers))
        return cls(config, params, Tokenizer.load(path), model_name(path))

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the configuration and the first bytes of every tensor: tells bases apart, cheaply."""
        digest = hashlib.sha256(json.dumps(asdict(self.config), sort_keys=True).encode())
        for leaf in jax.tree.leaves(self.params):
            digest.update(f"{leaf.dtype}{leaf.shape}".encode())
            head = np.asarray(leaf.ravel()[: SAMPLED_BYTES // leaf.dtype.itemsize])
            digest.update(head.tobytes())
        return digest.hexdigest()
