"""Logits of tiny random models against transformers."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from liminal.engine.config import ModelConfig, read_config
from liminal.engine.model import forward
from liminal.engine.params import Params
from liminal.engine.weights import load_params

MODELS = sorted(path.stem for path in (Path(__file__).parent / "golden" / "logits").glob("*.npz"))


def loaded(folder: Path) -> tuple[ModelConfig, Params]:
    config = read_config(folder)
    return config, load_params(folder, config)


@pytest.mark.parametrize("name", MODELS)
def test_logits_equal_those_of_transformers_with_padding_on_either_side(golden: Path, name: str) -> None:
    config, params = loaded(golden / "models" / name)
    expected = np.load(golden / "logits" / f"{name}.npz")
    mask = expected["mask"].astype(bool)
    logits = jax.jit(lambda p, t, at, s: forward(p, config, t, positions=at, segments=s))(
        params, expected["tokens"], expected["positions"], jnp.asarray(mask, jnp.int32)
    )
    np.testing.assert_allclose(np.asarray(logits)[mask], expected["logits"], atol=1e-4, rtol=0)
