"""Tokens, losses, gradients and optimizer steps against TRL's own trainers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from liminal.engine.params import Lora
from liminal.engine.peft import load_adapter
from liminal.engine.training.base import BaseModel
from liminal.engine.training.config import TrainConfig
from liminal.engine.training.encoding import Encoder
from liminal.engine.training.examples import parse_example
from liminal.engine.training.lessons import Lesson
from liminal.engine.training.losses import Losses
from liminal.engine.training.plan import Item, Job, Plan
from liminal.engine.training.run import TrainingRun
from liminal.engine.weights import module_path

TOLERANCE = 1e-5
DATA = {"dpo_first": "dpo", "dpo_promoted": "dpo", "dpo_sft": "dpo", "unpaired": "kto"}
START = {"dpo_first": "zero", "dpo_promoted": "next", "kto": "trained"}
ANSWERS = ["sft", "sft_text", "sft_messages"]
COMPARED = ["dpo", "dpo_first", "dpo_promoted", "dpo_sft", "kto", "unpaired"]
PASSES = [(case, "precomputed") for case in [*ANSWERS, *COMPARED]] + [
    (case, "joint") for case in ("dpo", "dpo_promoted", "kto")
]


class Golden:
    """What TRL recorded, and the tiny Llama that it was recorded with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "training"
        self.model = BaseModel.load(folder / "models" / "llama")
        self.data: Mapping[str, list[dict[str, Any]]] = self._json("data")
        self.tokens: Mapping[str, list[dict[str, Any]]] = self._json("tokens")
        self.report: Mapping[str, Any] = self._json("losses")

    def _json(self, name: str) -> Any:
        return json.loads((self.folder / f"{name}.json").read_text("utf-8"))

    def lesson(self, case: str) -> Lesson:
        examples = [parse_example(row) for row in self.data[DATA.get(case, case)]]
        start = load_adapter(self.folder / START.get(case, "start"), self.model.config)
        return Lesson(examples, start=start)

    def run(self, case: str, **settings: Any) -> TrainingRun:
        unpaired = {"kto": "kto", "unpaired": "apo_zero"}.get(case, "auto")
        reference = "start" if case == "dpo_promoted" else "base"
        config = TrainConfig(
            **{
                "batch_size": 16,
                "epochs": 1,
                "undesirable_weight": 1.33 if case == "kto" else 1.0,
                "unpaired": unpaired,
                "reference": reference,
                "chosen_weight": 0.5 if case == "dpo_sft" else 0.0,
                **settings,
            }
        )
        return TrainingRun(self.model, {"adapter": self.lesson(case)}, config)


@pytest.fixture(scope="module")
def trl(golden: Path) -> Golden:
    return Golden(golden)


def first_gradients(
    run: TrainingRun, trained: Lora | None = None
) -> tuple[Losses, dict[str, NDArray[np.float32]]]:
    """The losses of a run's first step, and its gradients under PEFT's names."""
    run._know_references()
    frozen, table = run._reference_bank()
    gradients, losses = run._gradients(run.bank.lora() if trained is None else trained, frozen, table, 0)
    rank = run.bank.sizes[0]
    named: dict[str, NDArray[np.float32]] = {}
    for layer, pairs in enumerate(gradients):
        for target, pair in pairs.items():
            prefix = f"base_model.model.model.layers.{layer}.{module_path(target)}"
            named[f"{prefix}.lora_A.weight"] = np.asarray(pair.a)[:rank]
            named[f"{prefix}.lora_B.weight"] = np.asarray(pair.b)[:rank].T
    return losses, named


def assert_close(
    found: Mapping[str, NDArray[Any]], expected: Mapping[str, NDArray[Any]], tolerance: float
) -> None:
    assert set(found) == set(expected)
    largest = max(float(np.abs(value).max()) for value in expected.values())
    for name, value in expected.items():
        np.testing.assert_allclose(
            found[name], value, atol=tolerance * max(1.0, largest), rtol=0, err_msg=name
        )


@pytest.mark.parametrize("case", ["sft", "sft_text", "sft_messages", "dpo", "kto"])
def test_examples_become_the_tokens_that_trl_makes_of_them(trl: Golden, case: str) -> None:
    encoder = Encoder(trl.model.tokenizer, 128)
    for row, expected in zip(trl.data[case], trl.tokens[case], strict=True):
        sequences = encoder.encode(parse_example(row))
        if "labels" in expected:
            assert sequences[0].tokens.tolist() == expected["input_ids"]
            labels = np.where(sequences[0].learn, sequences[0].tokens, -100)
            assert labels.tolist() == expected["labels"]
            continue
        assert sequences[0].context.tolist() == expected["prompt_ids"]
        names = ["chosen_ids", "rejected_ids"] if "chosen_ids" in expected else ["completion_ids"]
        for sequence, name in zip(sequences, names, strict=True):
            assert sequence.answer.tolist() == expected[name]


@pytest.mark.parametrize(("case", "reference_pass"), PASSES)
def test_losses_and_gradients_are_those_of_trl(trl: Golden, case: str, reference_pass: str) -> None:
    run = trl.run(case, reference_pass=reference_pass)
    trained = None
    if case == "dpo_promoted":
        # the policy has moved away from the promoted version that it is measured against
        trained = run.bank.lora()
        promoted = load_adapter(trl.folder / "start", trl.model.config)
        run = TrainingRun(
            trl.model, {"adapter": Lesson(run.lessons["adapter"].examples, start=promoted)}, run.config
        )
    losses, gradients = first_gradients(run, trained)
    assert float(losses.total) == pytest.approx(trl.report["loss"][case], abs=TOLERANCE)
    assert_close(gradients, np.load(trl.folder / f"{case}.npz"), TOLERANCE)


def test_a_fresh_adapters_first_dpo_loss_is_ln_2(trl: Golden) -> None:
    losses, _ = first_gradients(trl.run("dpo_first"))
    assert float(losses.total) == pytest.approx(math.log(2), abs=1e-7)


@pytest.mark.parametrize(
    ("case", "settings"),
    [("sft", {"packing": False}), ("dpo", {"micro_tokens": 64}), ("dpo", {"remat": True})],
)
def test_neither_layout_nor_accumulation_nor_recomputing_changes_the_gradient(
    trl: Golden, case: str, settings: dict[str, Any]
) -> None:
    losses, gradients = first_gradients(trl.run(case, **settings))
    assert float(losses.total) == pytest.approx(trl.report["loss"][case], abs=TOLERANCE)
    assert_close(gradients, np.load(trl.folder / f"{case}.npz"), TOLERANCE)


class InOrder(Job):
    """A job whose steps take its items as they come: TRL's trajectory was recorded without shuffling."""

    def step(self, index: int, config: TrainConfig) -> list[Item]:
        return list(self.items[index * config.batch_size : (index + 1) * config.batch_size])


def test_optimizer_steps_lead_where_trl_and_torch_get_to(trl: Golden) -> None:
    examples = [parse_example(row) for row in trl.data["sft"] for _ in range(3)]
    lesson = Lesson(examples, start=load_adapter(trl.folder / "start", trl.model.config))
    config = TrainConfig(
        learning_rate=1e-2,
        schedule="constant",
        warmup=0.0,
        weight_decay=0.01,
        clip=0.5,
        batch_size=4,
        epochs=1,
    )
    run = TrainingRun(trl.model, {"adapter": lesson}, config)
    run.plan = Plan([InOrder(**vars(job)) for job in run.plan.jobs], config)
    found = [progress.loss for progress in run]
    assert found == pytest.approx(trl.report["sft_trajectory"], abs=1e-4)
    expected = load_file(trl.folder / "trained" / "adapter_model.safetensors")
    adapter = run.adapters["adapter"]
    named: dict[str, NDArray[Any]] = {}
    for (layer, target), (a, b) in adapter.tensors.items():
        prefix = f"base_model.model.model.layers.{layer}.{module_path(target)}"
        named[f"{prefix}.lora_A.weight"], named[f"{prefix}.lora_B.weight"] = a, b
    assert_close(named, expected, 1e-4)
