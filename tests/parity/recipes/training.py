"""Losses, gradients and some optimizer steps of TRL's own trainers, on the tiny Llama with LoRA."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from peft import PeftModel, get_peft_model, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoTokenizer
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer

from recipes.adapters import Lora, config, randomize
from recipes.models import load

START = Lora(4, 8.0)
START_SEED = 6000
METRICS = ("kl", "rewards/margins")


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _asked(question: str, *answers: str) -> tuple[list[dict[str, str]], ...]:
    return ([_turn("user", question)], *([_turn("assistant", answer)] for answer in answers))


_PAIRS = [
    ("How many stones?", "the river carries 12 stones.", "a long letter"),
    ("Who repairs the clock?", "my neighbour repairs the old clock.", "the kettle counts two doors, twice."),
    ("Tea?", "3.5 litres of tea.", "no."),
    ("What crosses the river?", "a small boat crosses the river.", "every student"),
]
SFT = [{"prompt": p, "completion": c} for p, c in (_asked(q, good) for q, good, _ in _PAIRS)]
SFT_MESSAGES = [
    {
        "messages": [
            _turn("user", "Count the doors."),
            _turn("assistant", "two doors."),
            _turn("user", "And the stones?"),
            _turn("assistant", "12 stones, the river carries them."),
        ]
    },
    {"messages": [_turn("system", "Be brief."), _turn("user", "Tea?"), _turn("assistant", "3.5 litres.")]},
]
DPO = [{"prompt": p, "chosen": c, "rejected": r} for p, c, r in (_asked(*pair) for pair in _PAIRS)]
KTO = [
    {"prompt": row[0], "completion": row[1 + index % 2], "label": index % 2 == 0}
    for index, row in enumerate(_asked(*pair) for pair in _PAIRS)
] + [{"prompt": row[0], "completion": row[1], "label": True} for row in [_asked(*_PAIRS[1])]]
TEXT_SFT = [
    {"prompt": "the river", "completion": " carries 12 stones.<|im_end|>"},
    {"prompt": "my neighbour repairs", "completion": " the old clock.<|im_end|>"},
]

COMMON: dict[str, Any] = {
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "report_to": [],
    "save_strategy": "no",
    "logging_strategy": "no",
    "max_length": 128,
    "seed": 7,
    "train_sampling_strategy": "sequential",
    "disable_tqdm": True,
}


def _gradients(trainer: Any) -> tuple[float, dict[str, np.ndarray]]:
    batch = next(iter(trainer.get_train_dataloader()))
    trainer.model.train()
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    found = {
        name.replace(".default.weight", ".weight"): value.grad.numpy()
        for name, value in trainer.model.named_parameters()
        if value.requires_grad
    }
    return loss.item(), found


def _tokens(trainer: Any) -> list[dict[str, Any]]:
    columns = (
        "input_ids",
        "labels",
        "prompt_ids",
        "chosen_ids",
        "rejected_ids",
        "completion_ids",
        "KL_completion_ids",
    )
    return [{key: row[key] for key in columns if key in row} for row in trainer.train_dataset]


class Workshop:
    """Builds TRL's trainers over one set of folders and records what they compute."""

    def __init__(self, out: Path, scratch: str) -> None:
        self.out = out
        self.scratch = scratch
        self.tokenizer = AutoTokenizer.from_pretrained(out / "models" / "llama")
        self.losses: dict[str, float] = {}
        self.tokens: dict[str, list[dict[str, Any]]] = {}
        self.metrics: dict[str, dict[str, float]] = {}
        self.trajectory: list[float] = []

    def trainer(self, kind: str, rows: list[dict[str, Any]], start: str | None, **options: Any) -> Any:
        """A trainer over ``rows``.

        With ``start`` the policy continues training/<start> and TRL takes a copy of it as the reference; with
        None the policy is a new adapter with the weights of training/start and the reference is the base.
        """
        trainer_class, config_class = {
            "sft": (SFTTrainer, SFTConfig),
            "dpo": (DPOTrainer, DPOConfig),
            "kto": (KTOTrainer, KTOConfig),
        }[kind]
        arguments = {"per_device_train_batch_size": len(rows), **COMMON, **options}
        base = load(self.out / "models" / "llama")
        continued = start and PeftModel.from_pretrained(
            base, self.out / "training" / start, is_trainable=True
        )
        trainer = trainer_class(
            model=continued or base,
            peft_config=None if start else config(START),
            args=config_class(output_dir=self.scratch, **arguments),
            train_dataset=Dataset.from_list(rows),
            processing_class=self.tokenizer,
        )
        if start is None:
            randomize(trainer.model, "default", START_SEED)
        return trainer

    def record(self, name: str, trainer: Any) -> None:
        """Keep loss, gradients and tokenized rows of the trainer's first batch under ``name``."""
        self.losses[name], gradients = _gradients(trainer)
        self.tokens[name] = _tokens(trainer)
        measured = trainer._metrics["train"]
        self.metrics[name] = {key: values[-1] for key, values in measured.items() if key in METRICS}
        np.savez_compressed(self.out / "training" / f"{name}.npz", **gradients)


def _save(model: PeftModel, folder: Path) -> None:
    model.peft_config["default"].base_model_name_or_path = "llama"
    model.save_pretrained(folder, selected_adapters=["default"], save_embedding_layers=False)


def _against_promoted(shop: Workshop) -> None:
    trainer = shop.trainer("dpo", DPO, "start", beta=0.1)
    if "ref" not in trainer.model.peft_config:
        raise RuntimeError("this version of TRL keeps no copy of the adapter as the reference")
    randomize(trainer.model, "default", 6007)
    shop.record("dpo_promoted", trainer)
    _save(trainer.model, shop.out / "training" / "next")


def _trajectory(shop: Workshop) -> None:
    rows = [row for row in SFT for _ in range(3)]
    trainer = shop.trainer(
        "sft",
        rows,
        "start",
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        learning_rate=1e-2,
        lr_scheduler_type="constant",
        weight_decay=0.01,
        max_grad_norm=0.5,
        num_train_epochs=1,
        logging_strategy="steps",
        logging_steps=1,
    )
    trainer.train()
    shop.trajectory = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    _save(trainer.model, shop.out / "training" / "trained")


def _away_from_base(shop: Workshop) -> None:
    trainer = shop.trainer("kto", KTO, None, beta=0.1, undesirable_weight=1.33)
    set_peft_model_state_dict(
        trainer.model, load_file(shop.out / "training" / "trained" / "adapter_model.safetensors")
    )
    shop.record("kto", trainer)
    if not shop.metrics["kto"]["kl"] > 0:
        raise RuntimeError("the KL estimate is clamped to zero: this case would not test it")


def _adapters(out: Path) -> None:
    for name, seed in (("zero", None), ("start", START_SEED)):
        model = get_peft_model(load(out / "models" / "llama"), config(START))
        if seed is None:
            generator = torch.Generator().manual_seed(6001)
            with torch.no_grad():
                for key, value in sorted(model.named_parameters()):
                    if ".lora_A." in key:
                        value.copy_(torch.randn(value.shape, generator=generator) / value.shape[-1] ** 0.5)
        else:
            randomize(model, "default", seed)
        _save(model, out / "training" / name)


def make(out: Path) -> None:
    """Write training/.

    The adapters zero, start, next and trained; <case>.npz, gradients by PEFT key; data.json, the examples;
    tokens.json, what TRL makes of them; losses.json.
    """
    (out / "training").mkdir(parents=True, exist_ok=True)
    _adapters(out)
    with tempfile.TemporaryDirectory() as scratch:
        shop = Workshop(out, scratch)
        shop.record("sft", shop.trainer("sft", SFT, "start", completion_only_loss=True))
        shop.record("sft_text", shop.trainer("sft", TEXT_SFT, "start", completion_only_loss=True))
        shop.record("sft_messages", shop.trainer("sft", SFT_MESSAGES, "start", assistant_only_loss=True))
        shop.record("dpo", shop.trainer("dpo", DPO, None, beta=0.1))
        shop.record("dpo_first", shop.trainer("dpo", DPO, "zero", beta=0.1))
        both = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.5]}
        shop.record("dpo_sft", shop.trainer("dpo", DPO, None, beta=0.1, **both))
        shop.record("unpaired", shop.trainer("kto", KTO, None, beta=0.1, loss_type="apo_zero_unpaired"))
        _against_promoted(shop)
        _trajectory(shop)
        _away_from_base(shop)
    for readme in (out / "training").rglob("README.md"):
        readme.unlink()
    report = {"loss": shop.losses, "metrics": shop.metrics, "sft_trajectory": shop.trajectory}
    data = {"sft": SFT, "sft_text": TEXT_SFT, "sft_messages": SFT_MESSAGES, "dpo": DPO, "kto": KTO}
    (out / "training" / "data.json").write_text(json.dumps(data, indent=1) + "\n")
    (out / "training" / "losses.json").write_text(json.dumps(report, indent=1) + "\n")
    (out / "training" / "tokens.json").write_text(json.dumps(shop.tokens) + "\n")
