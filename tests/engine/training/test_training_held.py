"""What a correction kept, and what is replayed, is held to what the base model says there."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.engine.training.conftest import corrections

from liminal.engine.training import (
    BASE,
    BaseModel,
    Completion,
    Lesson,
    TrainConfig,
    TrainingConfigInvalid,
    TrainingRun,
    drift,
    score,
    train,
)
from liminal.engine.training.encoding import Encoder
from liminal.engine.training.losses import expected_nll, expected_rows

FAST = TrainConfig(rank=4, learning_rate=2e-2, epochs=8, batch_size=8)
ASKED = [{"role": "user", "content": "When did it open?"}]


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def test_the_mean_row_of_the_head_stands_for_a_whole_distribution() -> None:
    rng = np.random.default_rng(0)
    states, reference, head = (
        jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in ((7, 16), (7, 16), (50, 16))
    )
    rows, entropy = expected_rows(reference, head, jnp.int32(7))
    p = jax.nn.softmax(reference @ head.T)

    def direct(states: jax.Array) -> jax.Array:
        return -(p * jax.nn.log_softmax(states @ head.T)).sum(axis=-1)

    np.testing.assert_allclose(expected_nll(states, head, rows, jnp.int32(7)), direct(states), rtol=1e-5)
    np.testing.assert_allclose(expected_nll(reference, head, rows, jnp.int32(7)), entropy, rtol=1e-5)
    ours = jax.grad(lambda states: (expected_nll(states, head, rows, jnp.int32(7)) * jnp.arange(7.0)).sum())(
        states
    )
    theirs = jax.grad(lambda states: (direct(states) * jnp.arange(7.0)).sum())(states)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_only_what_a_correction_changed_is_learned(model: BaseModel) -> None:
    encoder = Encoder(model.tokenizer, 256)
    old, new = "It opened on May 4, 1920, in Rome.", "It opened on 04.05.1920, in Rome."
    [plain] = encoder.encode(Completion(ASKED, said(new)))
    [found] = encoder.encode(Completion(ASKED, said(new), said=said(old)))
    assert (found.tokens == plain.tokens).all()
    assert sorted([*found.learned, *found.kept]) == sorted(plain.learned)
    assert model.tokenizer.decode(found.tokens[found.kept].tolist()).startswith("It opened on")
    assert "04.05" in model.tokenizer.decode(found.tokens[found.learned].tolist())


def test_an_answer_that_ends_earlier_teaches_its_end(model: BaseModel) -> None:
    encoder = Encoder(model.tokenizer, 256)
    [found] = encoder.encode(Completion(ASKED, said("In May."), said=said("In May. It was warm. So it was.")))
    end = model.tokenizer.token_id(model.tokenizer.special["eos_token"])
    assert end in found.tokens[found.learned]


def test_the_end_of_an_answer_that_was_cut_off_is_not_learned(model: BaseModel) -> None:
    encoder = Encoder(model.tokenizer, 256)
    end = model.tokenizer.token_id(model.tokenizer.special["eos_token"])
    [cut] = encoder.encode(Completion(ASKED, said("In the month of"), closed=False))
    assert cut.targets
    assert end not in cut.tokens[cut.learned]


@pytest.mark.parametrize("layers", [None, 1])
def test_what_is_held_stays_while_what_is_taught_is_learned(model: BaseModel, layers: int | None) -> None:
    examples, others = corrections(), corrections(word="trees")
    config = replace(FAST, layers=layers, replay_weight=20.0, replay_ratio=1.0)
    free = train(model, examples, replace(config, replay_weight=0.0), replay=others)
    held = train(model, examples, replace(config, replay_to="base"), replay=others)
    lost = drift(model, others, [[(free, 1.0)], [(held, 1.0)], BASE]).lost
    assert lost[1] < lost[0] / 2
    assert lost[2] == pytest.approx(0, abs=1e-5)
    nll = score(model, examples, [BASE, [(held, 1.0)]]).mean_nll
    assert nll[1] < nll[0]


def test_held_answers_cost_nothing_before_the_first_step(model: BaseModel) -> None:
    config = replace(FAST, replay_to="base", replay_weight=100.0, max_steps=1)
    run = TrainingRun(model, {"a": Lesson(corrections(), corrections(word="trees"))}, config)
    plain = TrainingRun(model, {"a": Lesson(corrections())}, replace(FAST, max_steps=1))
    assert next(iter(run)).loss == pytest.approx(next(iter(plain)).loss, abs=1e-3)


def test_nothing_is_held_to_the_base_twice(model: BaseModel) -> None:
    config = replace(FAST, replay_to="base", kl_weight=1.0)
    with pytest.raises(TrainingConfigInvalid, match="held already"):
        TrainingRun(model, {"a": Lesson(corrections(), corrections(word="trees"))}, config)
