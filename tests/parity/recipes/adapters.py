"""LoRA folders written by PEFT; what PEFT answers with them alone, mixed (`cat`) or side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from recipes.models import batch, load

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@dataclass(frozen=True)
class Lora:
    """One adapter: what LoraConfig is told."""

    rank: int
    alpha: float
    modules: list[str] | str = field(default_factory=lambda: list(LINEAR))
    more: dict[str, Any] = field(default_factory=dict)


ADAPTERS: dict[str, Lora] = {
    "r2": Lora(2, 4.0),
    "r4_rslora": Lora(4, 8.0, more={"use_rslora": True}),
    "r8_attention": Lora(8, 8.0, ["q_proj", "v_proj"]),
    "r4_pattern": Lora(4, 4.0, more={"rank_pattern": {"down_proj": 2}, "alpha_pattern": {"q_proj": 16}}),
}
MIXTURES: dict[str, tuple[list[str], list[float]]] = {
    "one": (["r2"], [1.0]),
    "two": (["r2", "r8_attention"], [0.5, 1.25]),
    "three": (["r2", "r4_rslora", "r8_attention"], [0.3, 0.45, 0.25]),
    "against": (["r8_attention", "r4_rslora", "r2"], [1.5, -0.5, 0.8]),
}
ROWS = ["r2", "__base__", "r4_rslora", "r8_attention"]
MODELS = ("llama", "qwen3")


def randomize(model: PeftModel, name: str, seed: int) -> None:
    """Draw A and B of one adapter; a fresh one has B = 0 and would change nothing."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, value in sorted(model.named_parameters()):
            if f".lora_A.{name}." in key or f".lora_B.{name}." in key:
                value.copy_(torch.randn(value.shape, generator=generator) * 0.4 / value.shape[-1] ** 0.5)


def config(lora: Lora) -> LoraConfig:
    """The PEFT configuration of ``lora``: no dropout, causal language model."""
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        target_modules=lora.modules,
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
        **lora.more,
    )


def _save(folder: Path, out: Path) -> None:
    for index, (name, lora) in enumerate(ADAPTERS.items()):
        model = get_peft_model(load(folder), config(lora), adapter_name=name)
        randomize(model, name, 3000 + index)
        model.peft_config[name].base_model_name_or_path = folder.name
        model.save_pretrained(out / folder.name, save_embedding_layers=False)
        for readme in (out / folder.name).rglob("README.md"):
            readme.unlink()


def _run(model: PeftModel, inputs: dict[str, torch.Tensor], **arguments: Any) -> np.ndarray:
    with torch.no_grad():
        logits = model(**inputs, use_cache=False, **arguments).logits
    return logits[inputs["attention_mask"] == 1].numpy()


def make(out: Path) -> None:
    """Write adapters/<model>/<adapter>/ and mixtures/<model>.npz.

    In the file: tokens, mask, positions [B,T]; alone_<adapter>, cat_<mixture> and rows (each row of the
    batch with the adapter that ROWS names), logits [N,V] where mask is 1.
    """
    (out / "mixtures").mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(MODELS):
        folder = out / "models" / name
        _save(folder, out / "adapters")
        base = load(folder)
        inputs = batch(base.config.vocab_size, 4000 + index, length=9)
        first, *rest = ADAPTERS
        model = PeftModel.from_pretrained(base, out / "adapters" / name / first, adapter_name=first)
        for other in rest:
            model.load_adapter(out / "adapters" / name / other, adapter_name=other)
        model.eval()
        values = {
            "tokens": inputs["input_ids"].numpy().astype(np.int32),
            "mask": inputs["attention_mask"].numpy().astype(np.int8),
            "positions": inputs["position_ids"].numpy().astype(np.int32),
        }
        for adapter in ADAPTERS:
            model.set_adapter(adapter)
            values[f"alone_{adapter}"] = _run(model, inputs)
        values["rows"] = _run(model, inputs, adapter_names=ROWS)
        for mixture, (parts, weights) in MIXTURES.items():
            model.add_weighted_adapter(parts, weights, mixture, combination_type="cat")
            model.set_adapter(mixture)
            values[f"cat_{mixture}"] = _run(model, inputs)
        np.savez_compressed(out / "mixtures" / f"{name}.npz", **values)
