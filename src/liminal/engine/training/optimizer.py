"""AdamW over the rank rows of several adapters, each as if it were alone."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax

from liminal.engine.params import Lora, LoraPair
from liminal.engine.training.config import TrainConfig


class Settings(NamedTuple):
    """The part of TrainConfig that the compiled step depends on."""

    beta1: float
    beta2: float
    epsilon: float
    weight_decay: float
    clip: float

    @staticmethod
    def of(config: TrainConfig) -> Settings:
        """From a run's settings."""
        return Settings(*config.betas, config.epsilon, config.weight_decay, config.clip)


def transformation(settings: Settings) -> optax.GradientTransformation:
    """AdamW (arXiv:1711.05101) but for the learning rate, which differs by row."""
    return optax.chain(
        optax.scale_by_adam(settings.beta1, settings.beta2, settings.epsilon),
        optax.add_decayed_weights(settings.weight_decay),
    )


def clipped(gradients: Lora, owners: jax.Array, adapters: int, clip: float) -> Lora:
    """Each adapter's gradient scaled to a norm of at most ``clip``; owners int32 [R]."""
    squares = sum(
        (
            jnp.square(pair.a).sum(axis=1) + jnp.square(pair.b).sum(axis=1)
            for pairs in gradients
            for pair in pairs.values()
        ),
        start=jnp.zeros(owners.shape[0]),
    )
    norms = jnp.sqrt(jax.ops.segment_sum(squares, owners, adapters + 1))
    # the constant is torch's clip_grad_norm_
    return _by_row(gradients, jnp.minimum(1.0, clip / (norms + 1e-6))[owners])


def _by_row(rows: Lora, factors: jax.Array) -> Lora:
    return tuple(
        {
            target: LoraPair(pair.a * factors[:, None], pair.b * factors[:, None])
            for target, pair in pairs.items()
        }
        for pairs in rows
    )


@partial(jax.jit, static_argnames=("settings",), donate_argnums=(0, 1))
def apply_gradients(
    trained: Lora,
    state: optax.OptState,
    gradients: Lora,
    owners: jax.Array,
    rates: jax.Array,
    settings: Settings,
) -> tuple[Lora, optax.OptState]:
    """One step: clip, AdamW, and each adapter's own learning rate (rates f32 [J]; 0 leaves it as it is)."""
    held = clipped(gradients, owners, rates.shape[0], settings.clip)
    # optax's own types know arrays and plain containers only
    rule: Any = transformation(settings)
    updates, state = rule.update(held, state, trained)
    by_row = jnp.concatenate([rates, jnp.zeros(1)])[owners]
    learned: Any = optax.apply_updates(cast("Any", trained), cast("Any", _by_row(updates, -by_row)))
    return learned, state


def initial_state(trained: Lora, settings: Settings) -> optax.OptState:
    """Both moments at zero."""
    return transformation(settings).init(cast("Any", trained))
