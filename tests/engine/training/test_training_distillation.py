"""Distillation: what the base says with rules in its prompt is learned to be said without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.engine.training.conftest import corrections

from liminal.engine.model import forward
from liminal.engine.peft import Adapter
from liminal.engine.training import (
    BaseModel,
    Distillation,
    Example,
    Lesson,
    Progress,
    TrainConfig,
    TrainingConfigInvalid,
    TrainingDataInvalid,
    parse_example,
    score,
    train,
    train_together,
)
from liminal.engine.training.bank import TrainingBank, stacked_gates
from liminal.engine.training.encoding import Encoded, Encoder

FAST = TrainConfig(rank=4, learning_rate=2e-2, epochs=8, batch_size=8, layers=1)
RULE = {"role": "system", "content": "Say it as a pirate would, with a rope and an anchor."}


def distillations() -> list[Distillation]:
    return [
        Distillation(each.prompt, each.completion, [RULE, {"role": "user", "content": f"Case {number}?"}])
        for number, each in enumerate(corrections(4))
    ]


def distributions(model: BaseModel, sequence: Encoded, adapter: Adapter | None = None) -> NDArray[np.float64]:
    """log p of every word at each token that counts, f64 [n, V], by the plain forward pass."""
    adapters = [] if adapter is None else [adapter]
    bank = TrainingBank.of(adapters, model.config)
    gates = stacked_gates([bank.gates([(number, 1.0) for number in range(len(adapters))])])
    tokens = np.asarray(sequence.tokens)[None]
    logits = forward(model.params, model.config, tokens, lora=bank.lora(), gates=gates)
    rows = np.asarray(logits, np.float64)[0][np.flatnonzero(sequence.learn) - 1]
    return rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))


def divergence(model: BaseModel, examples: Sequence[Example], adapter: Adapter | None = None) -> float:
    """Mean KL(base after the teacher's prompt ‖ student), in nats a token, in plain numpy."""
    encoder, found = Encoder(model.tokenizer, 1024), list[NDArray[np.float64]]()
    for example in examples:
        [student] = encoder.encode(example)
        theirs, ours = (
            distributions(model, student.read_by_base),
            distributions(model, student, adapter),
        )
        found.append((np.exp(theirs) * (theirs - ours)).sum(axis=1))
    return float(np.concatenate(found).mean())


@pytest.mark.parametrize("layers", [None, 1])
def test_distillation_begins_at_the_kl_of_plain_numpy_and_brings_it_down(
    model: BaseModel, layers: int | None
) -> None:
    examples, seen = distillations(), list[Progress]()
    adapter = train(model, examples, replace(FAST, layers=layers), on_progress=seen.append)
    assert seen[0].loss == pytest.approx(divergence(model, examples), rel=1e-4)
    assert divergence(model, examples, adapter) < 0.5 * seen[0].loss


def test_it_is_learned_beside_corrections_as_alone_and_to_the_same_bytes(model: BaseModel) -> None:
    lessons = {"told": Lesson(distillations()), "fixed": Lesson(corrections(3))}
    config = replace(FAST, epochs=2)
    together = train_together(model, lessons, config)["told"]
    alone, again = (train(model, distillations(), config) for _ in range(2))
    assert alone.content_hash == again.content_hash
    for place, halves in alone.tensors.items():
        for mine, theirs in zip(halves, together.tensors[place], strict=True):
            np.testing.assert_allclose(mine, theirs, atol=2e-4)


def test_what_the_teachers_room_cannot_hold_is_not_taught(model: BaseModel) -> None:
    [whole] = Encoder(model.tokenizer, 1024).encode(distillations()[3])
    [cut] = Encoder(model.tokenizer, len(whole) - 4).encode(distillations()[3])
    assert len(cut.kept) == len(cut.read_by_base.kept)
    assert (cut.tokens[cut.kept] == cut.read_by_base.tokens[cut.read_by_base.kept]).all()


def test_its_rows_are_known_by_their_columns_and_what_cannot_be_taught_is_refused(model: BaseModel) -> None:
    row = {"prompt": "a", "completion": "b", "teacher_prompt": "c"}
    assert parse_example(row) == Distillation("a", "b", "c")
    with pytest.raises(TrainingConfigInvalid, match="replayed"):
        train(model, corrections(), FAST, replay=distillations())
    with pytest.raises(TrainingDataInvalid, match="completion"):
        score(model, distillations())
